// lmcache · SPDX-License-Identifier: Apache-2.0

/// The series of lookups for one model and salt.
struct LookupSeries: Sendable {
    struct Key: Hashable, Sendable {
        let model: String
        let salt: String

        var labels: [(String, String)] { [("cache_salt", self.salt), ("model_name", self.model)] }
    }

    struct EarlyExitKey: Hashable, Sendable {
        let lookup: Key
        let reason: CacheMetrics.EarlyExit
    }

    let lookups: CounterSeries
    let requestedTokens: CounterSeries
    let hitTokens: CounterSeries
    let hitL1Tokens: CounterSeries
    let hitL1Keys: CounterSeries
    let hitL2Tokens: CounterSeries
    let hitL2Keys: CounterSeries

    init(registry: MetricsRegistry, labels: MetricLabels) {
        self.lookups = registry.counter(.lookups, labels: labels)
        self.requestedTokens = registry.counter(.lookupRequestedTokens, labels: labels)
        self.hitTokens = registry.counter(.lookupHitTokens, labels: labels)
        self.hitL1Tokens = registry.counter(.lookupHitL1Tokens, labels: labels)
        self.hitL1Keys = registry.counter(.lookupHitL1Keys, labels: labels)
        self.hitL2Tokens = registry.counter(.lookupHitL2Tokens, labels: labels)
        self.hitL2Keys = registry.counter(.lookupHitL2Keys, labels: labels)
    }
}

/// Finds the series of lookups.
struct LookupSeriesTables: Sendable {
    let perModel: SeriesTable<LookupSeries.Key, LookupSeries>
    let earlyExits: SeriesTable<LookupSeries.EarlyExitKey, CounterSeries>

    init(registry: MetricsRegistry) {
        self.perModel = SeriesTable { key in
            LookupSeries(registry: registry, labels: MetricLabels(key.labels))
        } overflow: {
            LookupSeries(registry: registry, labels: .overflow)
        }
        self.earlyExits = SeriesTable { key in
            registry.counter(
                .lookupEarlyExit,
                labels: MetricLabels(key.lookup.labels + [("reason", key.reason.rawValue)])
            )
        } overflow: {
            registry.counter(.lookupEarlyExit, labels: .overflow)
        }
        registry.observeGauge(.activePrefetchJobs) { 0 }
        registry.observeGauge(.activeP2PLookupJobs) { 0 }
    }
}
