// lmcache · SPDX-License-Identifier: Apache-2.0

/// Keeps a failing medium from costing every request its deadline.
///
///     closed ──failures in a row──> open ──pause over──> half-open ──success──> closed
///                                    ^                        │
///                                    └──── failure: longer ───┘
///
/// A miss is a success: the medium answered.
package struct L2Breaker: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// Failures in a row that open the breaker. At least 1.
        package var failureLimit = 5
        /// First pause; it doubles with each probe that fails.
        package var pauseMilliseconds: UInt64 = 1000
        /// Longest pause.
        package var longestPauseMilliseconds: UInt64 = 60_000

        package init() {}
    }

    package enum State: Sendable, Equatable {
        case closed
        /// Nothing passes before this moment.
        case open(until: L2Instant)
        /// One probe is under way; nothing else passes. A probe without an answer by this moment has failed.
        case halfOpen(until: L2Instant)
    }

    /// What a caller may do now.
    package enum Permission: Sendable, Equatable {
        case pass
        /// Pass, and say how it ended: everything else waits for that.
        case probe
        case refuse
    }

    package private(set) var state = State.closed
    /// Times the breaker opened.
    package private(set) var openings: UInt64 = 0
    private let settings: Settings
    private var failuresInRow = 0
    private var pauseMilliseconds: UInt64

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
        self.pauseMilliseconds = settings.pauseMilliseconds
    }

    /// Asks to pass. A caller that is told `probe` must report a success or a failure.
    package mutating func request(now: L2Instant) -> Permission {
        switch self.state {
        case .closed: return .pass
        case .open(let until), .halfOpen(let until):
            guard until <= now else { return .refuse }
            self.state = .halfOpen(until: now.advanced(milliseconds: self.settings.longestPauseMilliseconds))
            return .probe
        }
    }

    /// The medium answered.
    package mutating func succeeded() {
        switch self.state {
        case .closed: self.failuresInRow = 0
        case .halfOpen:
            self.state = .closed
            self.failuresInRow = 0
            self.pauseMilliseconds = self.settings.pauseMilliseconds
        // An answer to something sent before the breaker opened says little about now.
        case .open: break
        }
    }

    /// The medium failed, or did not answer in time.
    package mutating func failed(now: L2Instant) {
        switch self.state {
        case .closed:
            self.failuresInRow += 1
            if self.failuresInRow >= max(1, self.settings.failureLimit) { self.open(now) }
        case .halfOpen:
            let doubled = self.pauseMilliseconds.multipliedReportingOverflow(by: 2)
            let limit = self.settings.longestPauseMilliseconds
            self.pauseMilliseconds = doubled.overflow ? limit : min(doubled.partialValue, limit)
            self.open(now)
        case .open: break
        }
    }

    private mutating func open(_ now: L2Instant) {
        self.state = .open(until: now.advanced(milliseconds: self.pauseMilliseconds))
        self.openings += 1
        self.failuresInRow = 0
    }
}
