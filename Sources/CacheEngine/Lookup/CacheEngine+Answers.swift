// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import L2Storage
import Synchronization

/// Answers of lookups that the second tier may still be working on.
extension CacheEngine {
    /// As ``takeAnswer(requestID:connection:)``; nil while the second tier is being asked.
    package func queryAnswer(requestID: String, connection: ConnectionID) -> Int? {
        guard self.pendingPrefetch(requestID, connection) == nil else { return nil }
        return self.takeAnswer(requestID: requestID, connection: connection)
    }

    /// Gives the answer as soon as it is there, at the latest after `seconds`: nil then, while the second tier is still
    /// being asked.
    ///
    /// - Parameter reply: Called exactly once, here or on the second tier's thread.
    package func awaitAnswer(
        requestID: String, connection: ConnectionID, seconds: Double, reply: @escaping @Sendable (Int?) -> Void
    ) {
        guard let prefetch = self.pendingPrefetch(requestID, connection) else {
            return reply(self.takeAnswer(requestID: requestID, connection: connection))
        }
        let milliseconds = UInt64(max(0, min(seconds, 1e6)) * 1000)
        let deadline = self.secondTier.clock.now().advanced(milliseconds: milliseconds)
        guard prefetch.add(PrefetchTicket.Waiter(deadline: deadline, reply: reply)) else { return reply(nil) }
        // It may have finished before the waiter was there; whoever takes the waiters answers them.
        guard self.pendingPrefetch(requestID, connection) == nil else { return }
        for waiter in prefetch.takeWaiters() {
            waiter.reply(self.takeAnswer(requestID: requestID, connection: connection))
        }
    }

    /// Whether the request's model is used by an engine that asks once and takes "still running" for a miss.
    package func asksOnce(requestID: String, connection: ConnectionID) -> Bool {
        self.state.withLock { state in
            guard let session = state.sessions[requestID], let index = session.lookupIndex(for: connection) else {
                return false
            }
            let lookup = session.lookups[index]
            guard lookup.prefetch != nil else { return false }
            return state.workers.values.contains {
                $0.request.engine == .trtllm && $0.request.modelName == lookup.scope.modelName
            }
        }
    }

    private func pendingPrefetch(_ requestID: String, _ connection: ConnectionID) -> PrefetchTicket? {
        let now = self.now
        let pending = self.state.withLock { state in
            state.sessions.withExisting(requestID, now: now) { session in
                session.lookupIndex(for: connection).flatMap { session.lookups[$0].prefetch }
            }
        }
        return pending ?? nil
    }
}
