// lmcache · SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Telemetry
import Testing

@Suite struct MetricsRegistryTests {
    @Test func servesAsSwiftMetricsFactory() {
        let registry = MetricsRegistry()
        let factory: any MetricsFactory = registry
        Counter(label: "c.requests", dimensions: [("d", "1")], factory: factory).increment(by: 2)
        FloatingPointCounter(label: "f", factory: factory).increment(by: 0.5)
        Gauge(label: "g", factory: factory).record(7)
        Recorder(label: "r", factory: factory).record(3)
        CoreMetrics.Timer(label: "t", factory: factory).recordSeconds(2)
        Meter(label: "m", factory: factory).set(4)
        let text = registry.exposition()
        #expect(text.contains("c_requests{d=\"1\"} 2.0\n"))
        #expect(text.contains("f 0.5\n"))
        #expect(text.contains("g 7.0\n"))
        #expect(text.contains("r_count 1.0\n"))
        #expect(text.contains("t_sum 2.0\n"))
        #expect(text.contains("m 4.0\n"))
    }

    @Test func destroyedSeriesAreNotListed() {
        let registry = MetricsRegistry()
        let counter = registry.counter("c", labels: ["a": "1"])
        registry.counter("c", labels: ["a": "2"]).increment()
        registry.destroyCounter(counter)
        #expect(registry.exposition() == "# TYPE c counter\nc{a=\"2\"} 1.0\n")
        registry.counter("c", labels: ["a": "1"]).increment(by: 5)
        #expect(registry.exposition().hasSuffix("c{a=\"2\"} 1.0\nc{a=\"1\"} 5.0\n"))
    }

    @Test func aNameKeepsItsFirstType() {
        let registry = MetricsRegistry()
        registry.counter("x").increment()
        registry.gauge("x").set(9.0)
        registry.observeGauge("x") { 9 }
        #expect(registry.exposition() == "# TYPE x counter\nx 1.0\n")
    }

    @Test func observedValuesAreReplacedByTheLastObserver() {
        let registry = MetricsRegistry()
        registry.observeGauge("x") { 1 }
        registry.observeGauge("x") { 2 }
        #expect(registry.exposition() == "# TYPE x gauge\nx 2.0\n")
    }

    @Test func labelSetsBeyondTheLimitShareOneSeries() {
        let registry = MetricsRegistry()
        for number in 0..<2100 { registry.counter("x", labels: ["n": "\(number)"]).increment() }
        let lines = registry.exposition().split(separator: "\n")
        #expect(lines.count == 2002)
        #expect(lines.last == "x{otel_metric_overflow=\"true\"} 100.0")
    }

    @Test func longLabelValuesAreCut() {
        let registry = MetricsRegistry()
        registry.counter("x", labels: ["n": String(repeating: "a", count: 600)]).increment()
        let value = String(repeating: "a", count: 512)
        #expect(registry.exposition() == "# TYPE x counter\nx{n=\"\(value)\"} 1.0\n")
    }

    @Test func additionsFromManyThreadsAllCount() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("c")
        let sum = registry.floatingPointCounter("f")
        let histogram = registry.histogram("h")
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        sum.increment(by: 0.5)
                        histogram.record(1.0)
                    }
                }
            }
        }
        #expect(counter.value == 8000)
        #expect(sum.value == 4000)
        #expect(histogram.snapshot.count == 8000)
    }
}
