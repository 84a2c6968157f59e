// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A wall-clock instant as log lines show it.
package struct LogTime: Sendable, Equatable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var millisecond: Int
    /// Seconds east of Greenwich.
    package var offsetSeconds: Int

    package init(
        year: Int,
        month: Int,
        day: Int,
        hour: Int,
        minute: Int,
        second: Int,
        millisecond: Int,
        offsetSeconds: Int = 0
    ) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.millisecond = millisecond
        self.offsetSeconds = offsetSeconds
    }

    /// Now, in the machine's time zone.
    package static func local() -> LogTime {
        var instant = timespec()
        clock_gettime(CLOCK_REALTIME, &instant)
        var parts = tm()
        localtime_r(&instant.tv_sec, &parts)
        return LogTime(
            year: Int(parts.tm_year) + 1900,
            month: Int(parts.tm_mon) + 1,
            day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour),
            minute: Int(parts.tm_min),
            second: Int(parts.tm_sec),
            millisecond: instant.tv_nsec / 1_000_000,
            offsetSeconds: parts.tm_gmtoff
        )
    }

    /// `YYYY-MM-DD HH:MM:SS,mmm`.
    var text: String { "\(self.date) \(self.clock),\(Self.padded(self.millisecond, 3))" }

    /// RFC 3339 with milliseconds and offset.
    var timestamp: String {
        let minutes = abs(self.offsetSeconds) / 60
        let sign = self.offsetSeconds < 0 ? "-" : "+"
        let offset = "\(sign)\(Self.padded(minutes / 60, 2)):\(Self.padded(minutes % 60, 2))"
        return "\(self.date)T\(self.clock).\(Self.padded(self.millisecond, 3))\(offset)"
    }

    private var date: String {
        "\(Self.padded(self.year, 4))-\(Self.padded(self.month, 2))-\(Self.padded(self.day, 2))"
    }

    private var clock: String {
        "\(Self.padded(self.hour, 2)):\(Self.padded(self.minute, 2)):\(Self.padded(self.second, 2))"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
