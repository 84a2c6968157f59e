// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The clock that also runs while the process is stopped and the machine sleeps.
package enum UptimeClock {
    /// Time since the machine started; never goes back.
    @Sendable package static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Duration(secondsComponent: Int64(time.tv_sec), attosecondsComponent: Int64(time.tv_nsec) * 1_000_000_000)
    }
}
