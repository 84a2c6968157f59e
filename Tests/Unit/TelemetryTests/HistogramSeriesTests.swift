// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct HistogramSeriesTests {
    @Test(arguments: [(-1.0, 0), (0.0, 0), (0.1, 1), (5.0, 1), (10_000.0, 14), (10_000.1, 15), (.infinity, 15)])
    func aValueFallsInTheFirstBucketThatHoldsIt(value: Double, bucket: Int) {
        let histogram = MetricsRegistry().histogram("h")
        histogram.record(value)
        var expected = [UInt64](repeating: 0, count: 16)
        expected[bucket] = 1
        #expect(histogram.snapshot.counts == expected)
    }

    @Test func notANumberDoesNotSpoilTheSum() {
        let histogram = MetricsRegistry().histogram("h")
        histogram.record(Double.nan)
        histogram.record(2.0)
        #expect(histogram.snapshot.sum == 2)
        #expect(histogram.snapshot.count == 1)
    }

    @Test func durationsAreSeconds() {
        let histogram = MetricsRegistry().histogram("h")
        histogram.recordNanoseconds(1_500_000_000)
        #expect(histogram.snapshot.sum == 1.5)
    }
}
