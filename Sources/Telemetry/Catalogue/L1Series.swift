// lmcache · SPDX-License-Identifier: Apache-2.0

/// The series of the memory tier.
struct L1Series: Sendable {
    /// Counters of one salt.
    struct PerSalt: Sendable {
        let read: CounterSeries
        let written: CounterSeries
        let evicted: CounterSeries

        init(registry: MetricsRegistry, labels: MetricLabels) {
            self.read = registry.counter(.l1Read, labels: labels)
            self.written = registry.counter(.l1Write, labels: labels)
            self.evicted = registry.counter(.l1Evicted, labels: labels)
        }
    }

    struct ReadFailure: Hashable, Sendable {
        let model: String
        let during: String
        let reason: String
    }

    struct AllocationFailure: Hashable, Sendable {
        let model: String
        let during: String
    }

    static let tag: (String, String) = ("l1_tag", "_default")
    static let gaugeLabels: MetricLabels = ["backend": "dram", "l1_tag": "_default"]

    let perSalt: SeriesTable<String, PerSalt>
    /// Series of the empty salt, the usual case.
    let unsalted: PerSalt
    let ticks: CounterSeries
    let triggered: CounterSeries
    let allocationFailures: SeriesTable<AllocationFailure, CounterSeries>
    let readFailures: SeriesTable<ReadFailure, CounterSeries>
    let lifetime: HistogramSeries
    let idle: HistogramSeries
    let reuseGap: HistogramSeries
    let evictReuseGap: HistogramSeries

    init(registry: MetricsRegistry) {
        let tagged = MetricLabels([Self.tag])
        self.unsalted = PerSalt(registry: registry, labels: tagged)
        self.perSalt = SeriesTable { salt in
            PerSalt(registry: registry, labels: MetricLabels([Self.tag, ("cache_salt", salt)]))
        } overflow: {
            PerSalt(registry: registry, labels: .overflow)
        }
        self.ticks = registry.counter(.l1EvictionTicks)
        self.triggered = registry.counter(.l1EvictionTriggered)
        self.allocationFailures = SeriesTable { key in
            registry.counter(.l1AllocationFailure, labels: ["during": key.during, "model_name": key.model])
        } overflow: {
            registry.counter(.l1AllocationFailure, labels: .overflow)
        }
        self.readFailures = SeriesTable { key in
            registry.counter(
                .l1ReadFailure,
                labels: ["during": key.during, "model_name": key.model, "reason": key.reason]
            )
        } overflow: {
            registry.counter(.l1ReadFailure, labels: .overflow)
        }
        self.lifetime = registry.histogram(.l1ChunkLifetime, labels: tagged)
        self.idle = registry.histogram(.l1ChunkIdle, labels: tagged)
        self.reuseGap = registry.histogram(.l1ChunkReuseGap, labels: tagged)
        self.evictReuseGap = registry.histogram(.l1ChunkEvictReuseGap, labels: tagged)
        registry.observeGauge(.l1MemoryUsage, labels: Self.gaugeLabels) { 0 }
        registry.observeGauge(.l1UsageRatio, labels: Self.gaugeLabels) { 0 }
        registry.observeGauge(.l1Staging, labels: Self.gaugeLabels) { 0 }
    }

    func counters(of salt: String) -> PerSalt { salt.isEmpty ? self.unsalted : self.perSalt[salt] }
}
