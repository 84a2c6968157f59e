// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct PrometheusTextTests {
    @Test func writesEveryKindAsTheFormatAsks() {
        let registry = MetricsRegistry()
        registry.describe([
            MetricDescription("a_total", .counter, unit: "x", "Counts \\ and\nlines."),
            MetricDescription("h_seconds", .histogram, unit: "seconds", buckets: [0.5, 1, 10], "Times."),
            MetricDescription("unused", .gauge, unit: "x", "Never set."),
        ])
        registry.counter("a_total", labels: ["z": "1", "b": "say \"hi\"\\\n"]).increment(by: 3)
        registry.floatingPointCounter("f_total").increment(by: 1.25)
        registry.gauge("g").set(-2)
        registry.observeGauge("o", labels: ["k": "v"]) { .infinity }
        let histogram = registry.histogram("h_seconds", labels: ["k": "v"])
        for value in [0.5, 0.75, 3, 99] { histogram.record(value) }
        #expect(
            registry.exposition() == """
                # HELP a_total Counts \\\\ and\\nlines.
                # TYPE a_total counter
                a_total{b="say \\"hi\\"\\\\\\n",z="1"} 3.0
                # HELP h_seconds Times.
                # TYPE h_seconds histogram
                h_seconds_bucket{k="v",le="0.5"} 1.0
                h_seconds_bucket{k="v",le="1.0"} 2.0
                h_seconds_bucket{k="v",le="10.0"} 3.0
                h_seconds_bucket{k="v",le="+Inf"} 4.0
                h_seconds_sum{k="v"} 103.25
                h_seconds_count{k="v"} 4.0
                # HELP unused Never set.
                # TYPE unused gauge
                # TYPE f_total counter
                f_total 1.25
                # TYPE g gauge
                g -2.0
                # TYPE o gauge
                o{k="v"} +Inf

                """
        )
    }

    @Test func aHistogramWithoutLabelsHasOnlyTheBound() {
        let registry = MetricsRegistry()
        registry.describe([MetricDescription("h", .histogram, unit: "x", buckets: [1], "H.")])
        registry.histogram("h").record(Int64(1))
        #expect(
            registry.exposition() == """
                # HELP h H.
                # TYPE h histogram
                h_bucket{le="1.0"} 1.0
                h_bucket{le="+Inf"} 1.0
                h_sum 1.0
                h_count 1.0

                """
        )
    }

    @Test func notANumberIsSpelledOut() {
        let registry = MetricsRegistry()
        registry.observeGauge("n") { .nan }
        registry.observeGauge("m") { -.infinity }
        #expect(registry.exposition().hasSuffix("n NaN\n# TYPE m gauge\nm -Inf\n"))
    }
}
