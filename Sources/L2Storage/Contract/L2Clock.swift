// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A moment on an adapter's clock, in nanoseconds since that clock's own zero.
package struct L2Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: L2Instant, right: L2Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// A later moment, or the last one there is.
    package func advanced(milliseconds: UInt64) -> L2Instant {
        let (span, tooLong) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, tooLate) = self.nanoseconds.addingReportingOverflow(span)
        return L2Instant(nanoseconds: tooLong || tooLate ? .max : sum)
    }
}

/// Where an adapter reads the time from.
package protocol L2Clock: Sendable {
    func now() -> L2Instant
}

/// The system's monotonic clock.
package struct MonotonicL2Clock: L2Clock {
    package init() {}

    package func now() -> L2Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // The monotonic clock is never negative.
        return L2Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }
}
