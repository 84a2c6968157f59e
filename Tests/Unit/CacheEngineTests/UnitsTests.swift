// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CacheEngine

@Suite struct UnitsTests {
    @Test func durationsHaveFixedDecimals() {
        let table: [(Duration, String, String)] = [
            (.zero, "0.000", "0.0"), (.milliseconds(1), "0.001", "1.0"), (.microseconds(1499), "0.001", "1.5"),
            (.microseconds(49), "0.000", "0.0"), (.milliseconds(12_345), "12.345", "12345.0"),
            (.microseconds(999_999), "1.000", "1000.0"), (.seconds(-3), "0.000", "0.0"),
            (.seconds(Int64.max), "1000000000000.000", "1000000000000.0"),
        ]
        for (duration, seconds, milliseconds) in table {
            #expect(duration.fixedSeconds == seconds)
            #expect(duration.fixedMilliseconds == milliseconds)
        }
    }

    @Test func divisionRoundsUp() {
        for dividend in 0...20 {
            for divisor in 1...7 {
                let quotient = dividend.dividedRoundingUp(by: divisor)
                #expect(quotient * divisor >= dividend && (quotient - 1) * divisor < dividend)
            }
        }
        #expect(Int.max.dividedRoundingUp(by: 2) == Int.max / 2 + 1)
    }
}
