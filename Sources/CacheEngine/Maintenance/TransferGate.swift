// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts transfers that were accepted and not answered, and closes for new ones at the end.
final class TransferGate: Sendable {
    private let state = Mutex<(isOpen: Bool, count: Int)>((true, 0))

    /// Takes one in, or false when closed. Each one taken in must leave.
    func enter() -> Bool {
        self.state.withLock { state in
            if state.isOpen { state.count += 1 }
            return state.isOpen
        }
    }

    func leave() { self.state.withLock { $0.count -= 1 } }

    func close() { self.state.withLock { $0.isOpen = false } }

    var isOpen: Bool { self.state.withLock { $0.isOpen } }

    /// Accepted and not answered.
    var count: Int { self.state.withLock { $0.count } }
}
