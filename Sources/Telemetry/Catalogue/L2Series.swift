// lmcache · SPDX-License-Identifier: Apache-2.0

/// The series of the tiers behind L1.
struct L2Series: Sendable {
    /// Counters of one salt.
    struct PerSalt: Sendable {
        let storeSubmitted: CounterSeries
        let storeCompleted: CounterSeries
        let lookedUp: CounterSeries
        let loadSubmitted: CounterSeries
        let loadCompleted: CounterSeries
        let evicted: CounterSeries

        init(registry: MetricsRegistry, labels: MetricLabels) {
            self.storeSubmitted = registry.counter(.l2StoreSubmittedObjects, labels: labels)
            self.storeCompleted = registry.counter(.l2StoreCompletedObjects, labels: labels)
            self.lookedUp = registry.counter(.l2LookupObjects, labels: labels)
            self.loadSubmitted = registry.counter(.l2LoadSubmittedObjects, labels: labels)
            self.loadCompleted = registry.counter(.l2LoadCompletedObjects, labels: labels)
            self.evicted = registry.counter(.l2Evicted, labels: labels)
        }
    }

    /// Series of one adapter.
    struct PerTier: Sendable {
        let storesCompleted: CounterSeries
        let loadsCompleted: CounterSeries
        let storeThroughput: HistogramSeries
        let loadThroughput: HistogramSeries
        let storeMilliseconds: HistogramSeries
        let lookupMilliseconds: HistogramSeries
        let loadMilliseconds: HistogramSeries
        let storedBytes: CounterSeries
        let loadedBytes: CounterSeries
        let loadedObjects: CounterSeries
        let refused: CounterSeries
        let damaged: [CacheMetrics.Damage: CounterSeries]

        init(registry: MetricsRegistry, labels: MetricLabels) {
            self.storesCompleted = registry.counter(.l2StoreCompleted, labels: labels)
            self.loadsCompleted = registry.counter(.l2LoadCompleted, labels: labels)
            self.storeThroughput = registry.histogram(.l2StoreThroughput, labels: labels)
            self.loadThroughput = registry.histogram(.l2LoadThroughput, labels: labels)
            self.storeMilliseconds = registry.histogram(.l2StoreMilliseconds, labels: labels)
            self.lookupMilliseconds = registry.histogram(.l2LookupMilliseconds, labels: labels)
            self.loadMilliseconds = registry.histogram(.l2LoadMilliseconds, labels: labels)
            self.storedBytes = registry.counter(.l2StoredBytes, labels: labels)
            self.loadedBytes = registry.counter(.l2LoadedBytes, labels: labels)
            self.loadedObjects = registry.counter(.l2LoadedObjects, labels: labels)
            self.refused = registry.counter(.l2Refused, labels: labels)
            var damaged: [CacheMetrics.Damage: CounterSeries] = [:]
            for damage in CacheMetrics.Damage.allCases {
                damaged[damage] = registry.counter(.l2Damaged, labels: Self.labels(labels, damage))
            }
            self.damaged = damaged
        }

        private static func labels(_ labels: MetricLabels, _ damage: CacheMetrics.Damage) -> MetricLabels {
            guard labels != .overflow else { return labels }
            return MetricLabels(labels.labels.map { ($0.name, $0.value) } + [("reason", damage.rawValue)])
        }
    }

    struct Failure: Hashable, Sendable {
        let tier: String
        let reason: String
    }

    struct PrefetchFailure: Hashable, Sendable {
        let model: String
        let reason: String
    }

    let unsalted: PerSalt
    let perSalt: SeriesTable<String, PerSalt>
    let perTier: SeriesTable<String, PerTier>
    let failures: SeriesTable<Failure, CounterSeries>
    let prefetchFailures: SeriesTable<PrefetchFailure, CounterSeries>
    let stores: CounterSeries
    let dropped: CounterSeries
    let lookups: CounterSeries
    let loads: CounterSeries

    init(registry: MetricsRegistry) {
        self.unsalted = PerSalt(registry: registry, labels: .none)
        self.perSalt = SeriesTable { salt in
            PerSalt(registry: registry, labels: ["cache_salt": salt])
        } overflow: {
            PerSalt(registry: registry, labels: .overflow)
        }
        self.perTier = SeriesTable { tier in
            PerTier(registry: registry, labels: ["l2_name": tier])
        } overflow: {
            PerTier(registry: registry, labels: .overflow)
        }
        self.failures = SeriesTable { key in
            registry.counter(.l2Failures, labels: ["l2_name": key.tier, "reason": key.reason])
        } overflow: {
            registry.counter(.l2Failures, labels: .overflow)
        }
        self.prefetchFailures = SeriesTable { key in
            registry.counter(.l2PrefetchFailure, labels: ["model_name": key.model, "reason": key.reason])
        } overflow: {
            registry.counter(.l2PrefetchFailure, labels: .overflow)
        }
        self.stores = registry.counter(.l2StoreSubmitted)
        self.dropped = registry.counter(.l2StoreDropped)
        self.lookups = registry.counter(.l2Lookups)
        self.loads = registry.counter(.l2LoadSubmitted)
    }

    func counters(of salt: String) -> PerSalt { salt.isEmpty ? self.unsalted : self.perSalt[salt] }
}
