// lmcache · SPDX-License-Identifier: Apache-2.0

/// Decides how a count goes on after each page. No clock, lock or I/O inside.
///
///     page ──next──> page … ──last──> end
///      │ failure: pause, longer each time; the third in a row begins anew
package struct CountProgress: Sendable, Equatable {
    package enum Step: Sendable, Equatable {
        case page(cursor: String?)
        /// Then ask for the page of this cursor.
        case pause(milliseconds: Int, cursor: String?)
        case end
    }

    /// What a page came to.
    package enum Outcome: Sendable, Equatable {
        case taken(next: String?)
        case failed
    }

    /// Failures in a row, from which on the count is said to make no progress.
    package static let failureLimit = 3
    private static let firstPause = 250
    private static let longestPause = 60_000

    private var cursor: String?
    private var failures = 0

    package init() {}

    /// False while the medium does not answer.
    package var isGettingOn: Bool { self.failures < Self.failureLimit }

    package mutating func next(after outcome: Outcome) -> Step {
        switch outcome {
        case .taken(let next):
            self.failures = 0
            self.cursor = next
            return next == nil ? .end : .page(cursor: next)
        case .failed:
            self.failures = min(self.failures + 1, 64)
            // What a cursor means may be forgotten by then; what is counted already is not counted twice.
            if !self.isGettingOn { self.cursor = nil }
            let pause = self.failures > 8 ? Self.longestPause : Self.firstPause << (self.failures - 1)
            return .pause(milliseconds: min(pause, Self.longestPause), cursor: self.cursor)
        }
    }
}
