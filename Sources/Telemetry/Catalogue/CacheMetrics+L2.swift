// lmcache · SPDX-License-Identifier: Apache-2.0

/// One L2 adapter at one instant.
package struct L2GaugeReading: Sendable {
    package var usedBytes = 0
    package var isAnswering = false
    package var storesInFlight = 0
    package var loadsInFlight = 0
    package var loadBytesInFlight = 0

    package init() {}
}

extension CacheMetrics {
    /// Why an object that L2 had did not arrive.
    package enum PrefetchFailureReason: String, Sendable {
        case outOfMemory = "l1_oom"
        case contended = "l1_contended"
        case notFound = "not_found"
    }

    /// What is wrong with an object that L2 has.
    package enum Damage: String, Sendable, CaseIterable {
        case checksum
        case length
        /// Something else has its name, such as a directory.
        case kind
    }

    package func l2StoreSubmitted(objects: Int, salt: String) {
        self.l2.stores.increment()
        self.l2.counters(of: salt).storeSubmitted.increment(by: objects)
    }

    /// - Parameters:
    ///   - objects: Those that the adapter has now.
    ///   - bytes: Those that it wrote.
    package func l2StoreFinished(tier: String, objects: Int, bytes: Int, seconds: Double, salt: String) {
        let series = self.l2.perTier[tier]
        series.storesCompleted.increment()
        series.storedBytes.increment(by: bytes)
        series.storeMilliseconds.record(seconds * 1000)
        if bytes > 0, seconds > 0 { series.storeThroughput.record(Double(bytes) / 1e9 / seconds) }
        self.l2.counters(of: salt).storeCompleted.increment(by: objects)
    }

    package func l2StoreDropped(objects: Int) { self.l2.dropped.increment(by: objects) }

    package func l2LookupSubmitted(objects: Int, salt: String) {
        self.l2.lookups.increment()
        self.l2.counters(of: salt).lookedUp.increment(by: objects)
    }

    package func l2LookupFinished(tier: String, seconds: Double) {
        self.l2.perTier[tier].lookupMilliseconds.record(seconds * 1000)
    }

    package func l2LoadSubmitted(objects: Int, salt: String) {
        self.l2.loads.increment()
        self.l2.counters(of: salt).loadSubmitted.increment(by: objects)
    }

    /// - Parameters:
    ///   - objects: Those that arrived.
    ///   - bytes: Theirs.
    package func l2LoadFinished(tier: String, objects: Int, bytes: Int, seconds: Double, salt: String) {
        let series = self.l2.perTier[tier]
        series.loadsCompleted.increment()
        series.loadedObjects.increment(by: objects)
        series.loadedBytes.increment(by: bytes)
        series.loadMilliseconds.record(seconds * 1000)
        if bytes > 0, seconds > 0 { series.loadThroughput.record(Double(bytes) / 1e9 / seconds) }
        self.l2.counters(of: salt).loadCompleted.increment(by: objects)
    }

    package func l2PrefetchFailed(objects: Int, model: String, reason: PrefetchFailureReason) {
        guard objects > 0 else { return }
        self.l2.prefetchFailures[L2Series.PrefetchFailure(model: model, reason: reason.rawValue)].increment(by: objects)
    }

    /// One object's operation could not be carried out.
    package func l2Failed(tier: String, reason: StaticString) {
        self.l2.failures[L2Series.Failure(tier: tier, reason: reason.description)].increment()
    }

    /// An object was not what was stored.
    package func l2Damaged(tier: String, _ damage: Damage) { self.l2.perTier[tier].damaged[damage]?.increment() }

    /// An adapter did not take a task.
    package func l2Refused(tier: String) { self.l2.perTier[tier].refused.increment() }

    package func l2Evicted(objects: Int, salt: String) {
        self.l2.counters(of: salt).evicted.increment(by: objects)
    }

    /// Says where one adapter's gauges come from; `read` runs at each scrape, once for each gauge.
    package func observeL2(tier: String, index: Int, _ read: @escaping @Sendable () -> L2GaugeReading) {
        // Its counters begin with it, so that an alarm sees them rise from 0.
        _ = self.l2.perTier[tier]
        let name: MetricLabels = ["l2_name": tier]
        let indexed: MetricLabels = ["adapter_index": String(index), "l2_name": tier]
        self.registry.observeGauge(.l2Usage, labels: name) { Double(read().usedBytes) }
        self.registry.observeGauge(.l2Available, labels: name) { read().isAnswering ? 1 : 0 }
        self.registry.observeGauge(.l2StoresInFlight, labels: indexed) { Double(read().storesInFlight) }
        self.registry.observeGauge(.l2LoadsInFlight, labels: indexed) { Double(read().loadsInFlight) }
        self.registry.observeGauge(.l2LoadBytesInFlight, labels: indexed) { Double(read().loadBytesInFlight) }
    }

    /// Says where the numbers of adapters come from: active, then draining.
    package func observeL2Adapters(_ read: @escaping @Sendable () -> (active: Int, draining: Int)) {
        self.registry.observeGauge(.l2StoreAdapters, labels: ["l1_tag": "_default", "state": "active"]) {
            Double(read().active)
        }
        self.registry.observeGauge(.l2StoreAdapters, labels: ["l1_tag": "_default", "state": "draining"]) {
            Double(read().draining)
        }
        self.registry.observeGauge(.l2PrefetchAdapters, labels: ["state": "active"]) { Double(read().active) }
        self.registry.observeGauge(.l2PrefetchAdapters, labels: ["state": "draining"]) { Double(read().draining) }
    }
}
