// lmcache · SPDX-License-Identifier: Apache-2.0

/// Prefetches that an administrator asked for, until their result is taken.
package struct PrefetchWarmings: Sendable {
    package enum Result: Sendable, Equatable {
        case running
        /// Objects that the first tier has now, of all that were asked for.
        case finished(found: Int, total: Int)
    }

    /// Most that are remembered; the oldest finished one goes first.
    package static let limit = 1024

    private var results: [PrefetchID: Result] = [:]
    private var finished: [PrefetchID] = []

    package init() {}

    package mutating func start(_ id: PrefetchID) -> Bool {
        if self.results.count >= Self.limit {
            guard let oldest = self.finished.first else { return false }
            self.finished.removeFirst()
            self.results[oldest] = nil
        }
        self.results[id] = .running
        return true
    }

    package mutating func finish(_ outcome: PrefetchOutcome) {
        guard self.results[outcome.id] == .running else { return }
        self.results[outcome.id] = .finished(found: outcome.residentObjects, total: outcome.totalObjects)
        self.finished.append(outcome.id)
    }

    /// The result, given out once when it is there; nil for an unknown one.
    package mutating func take(_ id: PrefetchID) -> Result? {
        guard let result = self.results[id] else { return nil }
        if result != .running {
            self.results[id] = nil
            self.finished.removeAll { $0 == id }
        }
        return result
    }
}
