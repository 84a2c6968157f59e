// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The system's monotonic clock.
enum MonotonicTime {
    /// Time since an arbitrary fixed moment.
    static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Duration(secondsComponent: Int64(time.tv_sec), attosecondsComponent: Int64(time.tv_nsec) * 1_000_000_000)
    }
}
