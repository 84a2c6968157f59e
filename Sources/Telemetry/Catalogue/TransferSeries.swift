// lmcache · SPDX-License-Identifier: Apache-2.0

/// The counters of one device.
struct DeviceSeries: Sendable {
    let storesSubmitted: CounterSeries
    let storesFinished: CounterSeries
    let retrievesSubmitted: CounterSeries
    let retrievesFinished: CounterSeries

    init(registry: MetricsRegistry, labels: MetricLabels) {
        self.storesSubmitted = registry.counter(.storesSubmitted, labels: labels)
        self.storesFinished = registry.counter(.storesFinished, labels: labels)
        self.retrievesSubmitted = registry.counter(.retrievesSubmitted, labels: labels)
        self.retrievesFinished = registry.counter(.retrievesFinished, labels: labels)
    }
}

/// The speeds of one engine worker on one device.
struct ThroughputSeries: Sendable {
    struct Key: Hashable, Sendable {
        let device: String
        let instance: String
        let model: String
    }

    let store: HistogramSeries
    let load: HistogramSeries

    init(registry: MetricsRegistry, labels: MetricLabels) {
        self.store = registry.histogram(.storeThroughput, labels: labels)
        self.load = registry.histogram(.loadThroughput, labels: labels)
    }
}

/// Finds the series of transfers.
struct TransferSeriesTables: Sendable {
    struct LoadedKey: Hashable, Sendable {
        let instance: String
        let model: String
        let salt: String
    }

    let perDevice: SeriesTable<String, DeviceSeries>
    let throughput: SeriesTable<ThroughputSeries.Key, ThroughputSeries>
    let chunksLoaded: SeriesTable<LoadedKey, CounterSeries>

    init(registry: MetricsRegistry) {
        self.perDevice = SeriesTable { device in
            DeviceSeries(registry: registry, labels: ["device": device])
        } overflow: {
            DeviceSeries(registry: registry, labels: .overflow)
        }
        self.throughput = SeriesTable { key in
            ThroughputSeries(
                registry: registry,
                labels: ["device": key.device, "engine_id": key.instance, "model_name": key.model]
            )
        } overflow: {
            ThroughputSeries(registry: registry, labels: .overflow)
        }
        self.chunksLoaded = SeriesTable { key in
            registry.counter(
                .chunksLoaded,
                labels: ["cache_salt": key.salt, "model_name": key.model, "worker_id": key.instance]
            )
        } overflow: {
            registry.counter(.chunksLoaded, labels: .overflow)
        }
    }
}
