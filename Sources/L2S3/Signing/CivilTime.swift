// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A moment in Coordinated Universal Time, in whole seconds.
struct CivilTime: Equatable, Comparable, Sendable {
    /// Seconds since the start of 1970.
    let seconds: Int

    init(seconds: Int) { self.seconds = seconds }

    static func now() -> CivilTime { CivilTime(seconds: time(nil)) }

    static func < (left: CivilTime, right: CivilTime) -> Bool { left.seconds < right.seconds }

    /// `20130524`
    var compactDay: String { String(self.compact.prefix(8)) }

    /// `20130524T000000Z`
    var compact: String {
        var moment = tm()
        var seconds = time_t(self.seconds)
        gmtime_r(&seconds, &moment)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = digits(moment.tm_year + 1900, 4) + digits(moment.tm_mon + 1, 2) + digits(moment.tm_mday, 2)
        return day + "T" + digits(moment.tm_hour, 2) + digits(moment.tm_min, 2) + digits(moment.tm_sec, 2) + "Z"
    }

    /// Reads `2013-05-24T00:00:00Z`, perhaps with parts of a second; nil for anything else.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int32? {
            guard bytes.count >= range.upperBound, bytes[range].allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int32($1 - 0x30) }
        }
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"), bytes[10] == UInt8(ascii: "T"),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), year >= 1970, 1...12 ~= month, 1...31 ~= day
        else { return nil }
        var moment = tm()
        (moment.tm_year, moment.tm_mon, moment.tm_mday) = (year - 1900, month - 1, day)
        (moment.tm_hour, moment.tm_min, moment.tm_sec) = (hour, minute, second)
        self.seconds = timegm(&moment)
    }
}
