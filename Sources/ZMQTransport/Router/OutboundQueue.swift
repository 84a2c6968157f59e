// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc
import KVModel
import Synchronization

/// Hands messages of other threads, and the wish to stop, to the control thread.
///
/// Any thread may call any method.
final class OutboundQueue: Sendable {
    struct Item {
        let frames: [[UInt8]]
        let connection: ConnectionID
    }

    enum PushResult: Equatable { case queued, full, closed }

    private struct State {
        var items: [Item] = []
        var isClosed = false
    }

    /// Readable while something waits.
    let wakeUpDescriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) throws(TransportError) {
        self.capacity = capacity
        self.wakeUpDescriptor = lmc_eventfd_create()
        guard self.wakeUpDescriptor >= 0 else { throw .system(call: "eventfd", reason: ZMQFault.last.text) }
    }

    deinit { Glibc.close(self.wakeUpDescriptor) }

    func push(_ item: Item) -> PushResult {
        let (result, wakesUp) = self.state.withLock { state -> (PushResult, Bool) in
            if state.isClosed { return (.closed, false) }
            if state.items.count >= self.capacity { return (.full, false) }
            state.items.append(item)
            return (.queued, state.items.count == 1)
        }
        if wakesUp { lmc_eventfd_signal(self.wakeUpDescriptor) }
        return result
    }

    /// Takes everything that waits.
    ///
    /// Nothing follows once the queue is closed. The control thread calls it.
    func takeAll() -> (items: [Item], isClosed: Bool) {
        self.state.withLock { state in
            let items = state.items
            if !items.isEmpty { state.items = [] }
            return (items, state.isClosed)
        }
    }

    /// Refuses further messages and wakes the control thread for good.
    func close() {
        self.state.withLock { $0.isClosed = true }
        lmc_eventfd_signal(self.wakeUpDescriptor)
    }
}
