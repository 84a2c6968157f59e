// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Synchronization

/// A lookup's claim on a running prefetch: when the last reference goes, nobody wants the result any more.
package final class PrefetchTicket: Sendable {
    /// Somebody who waits for the answer.
    struct Waiter: Sendable {
        let deadline: L2Instant
        /// Takes the hit length in chunks, or nil for "still running".
        let reply: @Sendable (Int?) -> Void
    }

    /// Most of them for one lookup; the others are told at once that it is running.
    static let waiterLimit = 64

    package let id: PrefetchID
    /// Of the lookup.
    package let requestID: String
    private let owner: SecondTier
    private let waiters = Mutex<[Waiter]>([])

    init(id: PrefetchID, requestID: String, owner: SecondTier) {
        self.id = id
        self.requestID = requestID
        self.owner = owner
    }

    deinit { self.owner.abandoned(self.id, self.takeWaiters()) }

    /// False when too many wait already.
    func add(_ waiter: Waiter) -> Bool {
        self.waiters.withLock { waiters in
            guard waiters.count < Self.waiterLimit else { return false }
            waiters.append(waiter)
            return true
        }
    }

    func takeWaiters() -> [Waiter] {
        self.waiters.withLock { waiters in
            defer { waiters = [] }
            return waiters
        }
    }

    /// Those whose patience is over.
    func takeExpired(now: L2Instant) -> [Waiter] {
        self.waiters.withLock { waiters in
            let expired = waiters.filter { $0.deadline <= now }
            waiters.removeAll { $0.deadline <= now }
            return expired
        }
    }
}
