// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache_benchmark

@Suite struct LatencySeriesTests {
    @Test func anEmptySeriesHasNoPercentile() {
        #expect(LatencySeries().percentile(50) == nil)
    }

    @Test(arguments: [(1, 1), (50, 50), (51, 51), (99, 99), (100, 100)])
    func percentilesOfOneToAHundredAreThemselves(percent: Int, expected: Int) {
        var random = SplitMix64(3)
        let series = LatencySeries((1...100).map { .milliseconds($0) }.shuffled(using: &random))
        #expect(series.percentile(percent) == .milliseconds(expected))
    }

    @Test func aPercentileOfFewValuesIsOneOfThem() {
        let series = LatencySeries([.seconds(3), .seconds(1), .seconds(2)])
        #expect(series.median == .seconds(2))
        #expect(series.percentile(99) == .seconds(3))
        #expect(series.smallest == .seconds(1))
    }
}
