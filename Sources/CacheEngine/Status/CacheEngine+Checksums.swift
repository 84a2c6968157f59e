// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer
package import KVModel
import Synchronization

/// Why the checksums of a worker's blocks cannot be had.
package enum ChecksumRefusal: Error, Equatable {
    case notRegistered(InstanceID)
    case busy
    case refused(ChecksumError)
}

extension CacheEngine {
    /// Whether a worker is registered whose memory the server can read.
    package func isRegistered(_ instance: InstanceID) -> Bool {
        self.state.withLock { $0.workers[instance] != nil }
    }

    /// Hashes blocks of a worker's own memory, on its device's thread (server surface §2.5).
    ///
    /// - Parameter completion: Called exactly once, here or on the device's thread.
    package func checksums(
        instance: InstanceID, blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumRefusal>) -> Void
    ) {
        guard let worker = self.state.withLock({ $0.workers[instance] }) else {
            return completion(.failure(.notRegistered(instance)))
        }
        let isAccepted = worker.memory.checksums(
            blockIDs: blockIDs, blocksPerChunk: blocksPerChunk, layerwise: layerwise
        ) { completion($0.mapError { .refused($0) }) }
        if !isAccepted { completion(.failure(.busy)) }
    }
}
