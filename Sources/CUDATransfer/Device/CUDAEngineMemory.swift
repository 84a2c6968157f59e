// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import NativeThreads
import Synchronization

/// One registration's memory on a CUDA device. Given back once it is closed and its lanes are done.
final class CUDAEngineMemory: EngineMemory {
    var layout: KVCacheLayout { self.session.layout }
    var isCurrent: Bool { self.session.exporterIsThere && self.session.fatal == nil }
    var deviceName: String? { self.session.context.device.uuid }
    let session: CUDASession
    private let stores: CopyLane
    private let loads: CopyLane
    private let ending = StopSignal()
    private let isStarted = Mutex(false)

    /// Makes the lanes; the context must be current. Nothing stays when it throws.
    init(session: CUDASession) throws(CUDAFailure) {
        self.session = session
        self.stores = try CopyLane(direction: .store, session: session)
        do throws(CUDAFailure) {
            self.loads = try CopyLane(direction: .load, session: session)
        } catch {
            self.stores.discard()
            throw error
        }
    }

    deinit { self.close() }

    /// Starts the lanes' threads, to be joined after `ended`, which is called by one of them at its very end.
    func start(ended: @escaping @Sendable () -> Void) -> [NativeThread] {
        self.isStarted.withLock { $0 = true }
        let laneEnded: @Sendable () -> Void = { [ends = EndCounter(), ending = self.ending] in
            guard ends.isLast() else { return }
            ended()
            ending.raise()
        }
        return self.stores.start(ended: laneEnded) + self.loads.start(ended: laneEnded)
    }

    /// Gives back what the lanes made, of memory that was never started.
    func discard() {
        self.stores.discard()
        self.loads.discard()
    }

    func submit(_ transfer: Transfer) -> Bool {
        transfer.direction == .store
            ? self.stores.submit(.transfer(transfer)) : self.loads.submit(.transfer(transfer))
    }

    func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool {
        let request = ChecksumRequest(blockIDs: blockIDs, blocksPerChunk: blocksPerChunk, isLayerwise: layerwise)
        return self.stores.submit(.checksums(request, completion))
    }

    func close() {
        self.session.close()
        self.stores.close()
        self.loads.close()
        // Memory of this process belongs to the caller, who may free it now.
        guard self.session.tensors.areOfProcess, self.isStarted.withLock({ $0 }) else { return }
        while !self.ending.wait(milliseconds: 1000) {}
    }
}

/// Tells the last of two.
private final class EndCounter: Sendable {
    private let left = Mutex(2)

    func isLast() -> Bool {
        self.left.withLock { left in
            left -= 1
            return left == 0
        }
    }
}
