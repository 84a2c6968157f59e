// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct RepeatLimiterTests {
    @Test func writesFirstThenOncePerIntervalWithACount() {
        var limiter = RepeatLimiter(interval: .seconds(10))
        let table: [(Duration, RepeatLimiter.Verdict)] = [
            (.seconds(0), .write(suppressed: 0)), (.seconds(1), .suppress), (.seconds(9), .suppress),
            (.seconds(10), .write(suppressed: 2)), (.seconds(19), .suppress), (.seconds(60), .write(suppressed: 1)),
        ]
        for (now, verdict) in table { #expect(limiter.admit(now: now) == verdict) }
    }

    @Test func onceMeansOnce() {
        var limiter = RepeatLimiter(interval: nil)
        #expect(limiter.admit(now: .zero) == .write(suppressed: 0))
        #expect(limiter.admit(now: .seconds(1_000_000)) == .suppress)
    }

    @Test func keysAreLimitedApartAndBounded() {
        var table = RepeatLimiterTable<Int>(interval: .seconds(10), maximumKeys: 2)
        #expect(table.admit(1, now: .zero) == .write(suppressed: 0))
        #expect(table.admit(2, now: .zero) == .write(suppressed: 0))
        #expect(table.admit(1, now: .zero) == .suppress)
        #expect(table.admit(3, now: .zero) == .write(suppressed: 0))
        #expect(table.admit(4, now: .zero) == .suppress)
    }
}
