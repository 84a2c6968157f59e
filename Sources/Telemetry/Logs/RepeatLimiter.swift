// lmcache · SPDX-License-Identifier: Apache-2.0

/// Lets the first of many equal warnings through, then one for each interval, and counts those left out.
///
/// A value without a clock; times are durations since any fixed start.
package struct RepeatLimiter: Sendable {
    /// What to do with a warning.
    package enum Verdict: Sendable, Equatable {
        /// Write it; `suppressed` equal ones were left out since the last.
        case write(suppressed: Int)
        case suppress
    }

    /// Nil means once in a lifetime.
    private let interval: Duration?
    private var lastWritten: Duration?
    private var suppressed = 0

    /// Writes once, then at most once for each `interval`; never again when it is nil.
    package init(interval: Duration?) { self.interval = interval }

    package mutating func admit(now: Duration) -> Verdict {
        if let last = self.lastWritten {
            guard let interval = self.interval, now - last >= interval else {
                self.suppressed &+= 1
                return .suppress
            }
        }
        self.lastWritten = now
        defer { self.suppressed = 0 }
        return .write(suppressed: self.suppressed)
    }
}
