// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer
import NativeThreads
import Synchronization

/// Page-locks the arena step by step, on a thread of its own. Any thread may ask how far it is.
final class PinnedArena: Sendable {
    private struct Progress {
        var steps: PinSteps
        var failure: String?
        /// False once a step's device address differed from its host address.
        var hasEqualAddresses = true
    }

    private let source: ArenaSource
    private let context: CUDAContext
    private let notify: @Sendable (CUDANotice) -> Void
    private let progress: Mutex<Progress>
    private let signal = StopSignal()
    private let thread = Mutex<NativeThread?>(nil)

    /// CU_MEMHOSTREGISTER_PORTABLE | DEVICEMAP: for every context, and for kernels.
    private static let flags: UInt32 = 3
    private static let pauseMilliseconds = 20
    private static let retryMilliseconds = 30_000

    /// Starts at once.
    init(
        source: ArenaSource, context: CUDAContext, stepByteCount: Int, notify: @escaping @Sendable (CUDANotice) -> Void
    ) {
        self.source = source
        self.context = context
        self.notify = notify
        self.progress = Mutex(
            Progress(steps: PinSteps(byteCount: source.view.byteCount, stepByteCount: stepByteCount)))
        let thread = NativeThread(name: "lmc-cuda-pin") { @Sendable [self] in self.run() }
        self.thread.withLock { $0 = thread }
    }

    var steps: PinSteps { self.progress.withLock { $0.steps } }
    /// Why pinning stands still; nil while it goes on or is complete.
    var failure: String? { self.progress.withLock { $0.failure } }
    /// True when kernels may use host addresses of pinned bytes.
    var hasEqualAddresses: Bool { self.progress.withLock { $0.hasEqualAddresses } }

    /// Ends the thread and unlocks everything. The context must still be there; copies must have ended.
    func stop() {
        self.signal.raise()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
        guard (try? self.context.makeCurrent()) != nil else { return }
        let steps = self.steps
        for index in 0..<steps.count {
            _ = lmc_cuda_host_unregister(
                self.context.driver.calls, self.source.view.base + steps.step(index).lowerBound)
        }
    }

    private func run() {
        var wait = 0
        self.preferNearMemory()
        self.source.commitAll()
        repeat {
            if let failure = self.pinWhatIsCommitted() {
                self.note(failure: failure)
                wait = Self.retryMilliseconds
            } else {
                let steps = self.steps
                if steps.isComplete {
                    self.notify(.info("L1 pool page-locked for CUDA: \(steps.byteCount >> 20) MiB"))
                    return
                }
                wait = Self.pauseMilliseconds
            }
        } while !self.signal.wait(milliseconds: wait)
    }

    /// A copy that crosses to another socket is slower, and memory does not move once it is there.
    private func preferNearMemory() {
        guard let busID = self.context.driver.busID(of: self.context.device),
            let node = NearMemory.node(busID: busID)
        else { return }
        let committed = self.source.committedByteCount()
        guard NearMemory.prefer(node: node, for: self.source.view) else {
            return self.notify(
                .warning("NUMA node \(node), beside device \(busID), could not be preferred for the L1 pool's memory"))
        }
        self.notify(
            .info(
                "L1 pool: memory of NUMA node \(node), beside device \(busID), is preferred"
                    + (committed > 0 ? "; \(committed >> 20) MiB were committed before" : "")))
    }

    private func pinWhatIsCommitted() -> CUDAFailure? {
        do throws(CUDAFailure) {
            try self.context.makeCurrent()
            while let step = self.steps.next(committedByteCount: self.source.committedByteCount()) {
                try self.pin(step)
                if self.signal.wait(milliseconds: 0) { return nil }
            }
            return nil
        } catch {
            return error
        }
    }

    private func pin(_ step: Range<Int>) throws(CUDAFailure) {
        let (driver, host) = (self.context.driver, self.source.view.base + step.lowerBound)
        try driver.check(
            "cuMemHostRegister", lmc_cuda_host_register(driver.calls, host, step.count, Self.flags))
        var address: UInt64 = 0
        let code = lmc_cuda_host_device_address(driver.calls, &address, host, 0)
        let isEqual = code == CUDACode.success && address == UInt64(UInt(bitPattern: host))
        self.progress.withLock { progress in
            progress.steps.pinned(step)
            progress.failure = nil
            if !isEqual { progress.hasEqualAddresses = false }
        }
    }

    private func note(failure: CUDAFailure) {
        let text = failure.description
        let (isNews, pinned) = self.progress.withLock { progress in
            defer { progress.failure = text }
            return (progress.failure != text, progress.steps.pinnedByteCount)
        }
        guard isNews else { return }
        self.notify(
            .error(
                "L1 pool cannot be page-locked past \(pinned >> 20) MiB: \(text). Copies of the rest go through a small "
                    + "page-locked buffer, at a fraction of the speed; check `ulimit -l` and free memory"))
    }
}
