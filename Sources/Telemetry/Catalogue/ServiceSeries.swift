// lmcache · SPDX-License-Identifier: Apache-2.0

/// The series of the server around the cache.
struct ServiceSeries: Sendable {
    struct Refusal: Hashable, Sendable {
        let operation: String
        let reason: String
    }

    let reapedWorkers: CounterSeries
    let unregisteredPings: CounterSeries
    let refusals: SeriesTable<Refusal, CounterSeries>
    let timeouts: SeriesTable<String, CounterSeries>

    init(registry: MetricsRegistry) {
        self.reapedWorkers = registry.counter(.reapedWorkers)
        self.unregisteredPings = registry.counter(.unregisteredPings)
        self.refusals = SeriesTable { key in
            registry.counter(.refusedRequests, labels: ["operation": key.operation, "reason": key.reason])
        } overflow: {
            registry.counter(.refusedRequests, labels: .overflow)
        }
        self.timeouts = SeriesTable { kind in
            registry.counter(.timeouts, labels: ["exception_type": kind])
        } overflow: {
            registry.counter(.timeouts, labels: .overflow)
        }
        _ = registry.counter(.eventBusDropped)
        let constant: [MetricDescription] = [
            .eventBusQueueDepth, .eventBusDrainLag, .kvEventsLogDepth, .registeredWorkers, .activeSessions,
            .pinnedBytes, .pinningFailed,
        ]
        for description in constant { registry.observeGauge(description) { 0 } }
        registry.observeCounter(MetricDescription.droppedReplies.name) { 0 }
        registry.observeCounter(MetricDescription.unpinnedBytesCopied.name) { 0 }
    }
}
