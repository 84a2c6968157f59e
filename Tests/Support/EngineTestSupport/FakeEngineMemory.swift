// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer
import Synchronization

/// The memory of a fake engine: one number for each block of each kernel group.
package final class FakeEngineMemory: EngineMemory {
    private struct Block: Hashable {
        let kernelGroup: Int
        let id: Int32
    }

    package let layout: KVCacheLayout
    private let device: FakeDevice
    private let blocks = Mutex<[Block: UInt64]>([:])
    private let closing = Mutex(false)

    init(device: FakeDevice, layout: KVCacheLayout) {
        self.device = device
        self.layout = layout
    }

    package var isClosed: Bool { self.closing.withLock { $0 } }

    package func content(of block: Int32, kernelGroup: Int = 0) -> UInt64 {
        self.blocks.withLock { $0[Block(kernelGroup: kernelGroup, id: block)] ?? 0 }
    }

    package func setContent(of block: Int32, kernelGroup: Int = 0, _ value: UInt64) {
        self.blocks.withLock { $0[Block(kernelGroup: kernelGroup, id: block)] = value }
    }

    package func submit(_ transfer: Transfer) -> Bool {
        self.isClosed ? false : self.device.enqueue(transfer, memory: self)
    }

    package func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool { false }

    package func close() { self.closing.withLock { $0 = true } }
}
