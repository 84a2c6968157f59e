// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

/// One registration's memory. What is mapped is unmapped once it is closed and nothing in the device's queue needs it.
///
/// Memory of this process belongs to the caller, who may free it once ``close()`` has returned. So closing then fails
/// what waits in the queue and waits for what is being copied.
final class CPUEngineMemory: EngineMemory {
    private struct Use {
        var isClosed = false
        var pendingCount = 0
        var isMapped = true
    }

    package let layout: KVCacheLayout
    let tensors: MappedTensors
    let calls: any SharedMemoryCalls
    private let queue: BoundedQueue<CPUDeviceWork>
    private let uptime: @Sendable () -> Duration
    private let use = Mutex(Use())
    private let workEnded = StopSignal()

    init(
        layout: KVCacheLayout, tensors: MappedTensors, calls: any SharedMemoryCalls,
        queue: BoundedQueue<CPUDeviceWork>, uptime: @escaping @Sendable () -> Duration
    ) {
        self.layout = layout
        self.tensors = tensors
        self.calls = calls
        self.queue = queue
        self.uptime = uptime
    }

    deinit { self.close() }

    package var isCurrent: Bool {
        guard self.beginWork() else { return false }
        defer { self.workFinished() }
        return self.tensors.segments.allSatisfy { $0.isCurrent(calls: self.calls) }
    }

    package func submit(_ transfer: Transfer) -> Bool {
        self.enqueue(.transfer(transfer, self, queuedAt: self.uptime()))
    }

    package func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool {
        precondition(blocksPerChunk > 0, "a chunk has at least one block")
        let request = ChecksumRequest(blockIDs: blockIDs, blocksPerChunk: blocksPerChunk, isLayerwise: layerwise)
        return self.enqueue(.checksums(request, self, completion))
    }

    package func close() {
        self.unmapIfDone { $0.isClosed = true }
        guard self.tensors.areOfProcess else { return }
        while self.use.withLock({ $0.pendingCount > 0 }) { _ = self.workEnded.wait(milliseconds: 100) }
    }

    /// False when what waited in the queue may not begin any more, because its memory may be gone.
    var mayBegin: Bool { !self.tensors.areOfProcess || self.use.withLock { !$0.isClosed } }

    /// The device's thread has finished one piece of work.
    func workFinished() {
        self.unmapIfDone { $0.pendingCount -= 1 }
        if self.tensors.areOfProcess { self.workEnded.poke() }
    }

    /// Keeps the memory mapped until ``workFinished()``; false when it is closed.
    private func beginWork() -> Bool {
        self.use.withLock { use in
            if !use.isClosed { use.pendingCount += 1 }
            return !use.isClosed
        }
    }

    private func enqueue(_ work: CPUDeviceWork) -> Bool {
        guard self.beginWork() else { return false }
        if self.queue.push(work) { return true }
        self.workFinished()
        return false
    }

    private func unmapIfDone(after change: (inout Use) -> Void) {
        let mustUnmap = self.use.withLock { use in
            change(&use)
            let isDone = use.isClosed && use.pendingCount == 0 && use.isMapped
            if isDone { use.isMapped = false }
            return isDone
        }
        if mustUnmap { self.tensors.close(calls: self.calls) }
    }
}

/// What the CPU device's thread is given.
enum CPUDeviceWork: Sendable {
    case transfer(Transfer, CPUEngineMemory, queuedAt: Duration)
    case checksums(
        ChecksumRequest, CPUEngineMemory, @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void)
}
