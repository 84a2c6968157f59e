// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct CounterSeriesTests {
    @Test func countsUpAndIgnoresNegativeAmounts() {
        let counter = MetricsRegistry().counter("c")
        counter.increment()
        counter.increment(by: 4)
        counter.increment(by: -9)
        #expect(counter.value == 5)
    }

    @Test func sameLabelsInAnyOrderAreOneSeries() {
        let registry = MetricsRegistry()
        registry.counter("c", labels: ["a": "1", "b": "2"]).increment()
        registry.counter("c", labels: ["b": "2", "a": "1"]).increment()
        #expect(registry.counter("c", labels: ["a": "1", "b": "2"]).value == 2)
    }
}
