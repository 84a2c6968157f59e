// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer
import NativeThreads
import Synchronization

/// Transfers whose copies are enqueued, in order, and the thread that tells when each is done.
final class CompletionQueue: Sendable {
    /// One of them.
    struct Pending: @unchecked Sendable {  // the event is a driver's handle, which any thread may use
        let event: OpaquePointer
        let completed: @Sendable (Bool) -> Void
        /// Must live until the event has fired.
        let hostCopies: [HostCopies]
    }

    private let queue: BoundedQueue<Pending>
    private let context: CUDAContext
    /// Events that may be used again.
    private let free = Mutex<[FreeEvent]>([])

    private struct FreeEvent: @unchecked Sendable {  // as above
        let event: OpaquePointer
    }

    init(limit: Int, context: CUDAContext) {
        self.queue = BoundedQueue(capacity: limit)
        self.context = context
    }

    /// False when it is full.
    func push(_ pending: Pending) -> Bool { self.queue.push(pending) }

    func close() { self.queue.close() }

    /// An event to record, used before or new.
    func takeEvent(_ resources: LaneResources) throws(CUDAFailure) -> OpaquePointer {
        if let free = self.free.withLock({ $0.popLast() }) { return free.event }
        return try resources.event(.blocking)
    }

    /// Runs until the queue is closed and empty.
    ///
    /// - Parameters:
    ///   - mayPublish: Asked after the event has fired; false lets a transfer fail although its bytes arrived.
    ///   - failed: Told what the driver said when waiting failed.
    func run(mayPublish: () -> Bool, failed: (CUDAFailure) -> Void) {
        try? self.context.makeCurrent()
        while let pending = self.queue.pop() {
            let isComplete = self.wait(pending, failed)
            pending.completed(isComplete && mayPublish())
            withExtendedLifetime(pending.hostCopies) {}
        }
    }

    private func wait(_ pending: Pending, _ failed: (CUDAFailure) -> Void) -> Bool {
        let driver = self.context.driver
        do throws(CUDAFailure) {
            try driver.check("cuEventSynchronize", lmc_cuda_event_synchronize(driver.calls, pending.event))
            self.free.withLock { $0.append(FreeEvent(event: pending.event)) }
            return true
        } catch {
            // The bytes are not trusted, and nobody may get their places while copies could still write there. When
            // waiting fails again the context is lost and its copies with it.
            _ = lmc_cuda_event_synchronize(driver.calls, pending.event)
            failed(error)
            return false
        }
    }
}
