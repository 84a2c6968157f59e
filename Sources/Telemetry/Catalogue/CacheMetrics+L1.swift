// lmcache · SPDX-License-Identifier: Apache-2.0

/// Memory use of L1 at one instant.
package struct L1GaugeReading: Sendable {
    package let usedBytes: Int
    package let capacityBytes: Int
    package let stagedBytes: Int

    package init(usedBytes: Int, capacityBytes: Int, stagedBytes: Int) {
        self.usedBytes = usedBytes
        self.capacityBytes = capacityBytes
        self.stagedBytes = stagedBytes
    }
}

extension CacheMetrics {
    /// What L1 was doing when it could not allocate.
    package enum AllocationPurpose: String, Sendable {
        case store = "l1_store"
        case prefetch = "l2_prefetch"
    }

    /// What wanted an object that a lookup had found.
    package enum ReadPurpose: String, Sendable {
        case retrieve = "l1_retrieve"
        case store = "l2_store"
    }

    /// Why an object that a lookup had found could not be read.
    package enum ReadFailureReason: String, Sendable {
        case notFound = "not_found"
        case writeLocked = "write_locked"
    }

    /// Objects whose read is over.
    package func l1Read(objects: Int, salt: String) { self.l1.counters(of: salt).read.increment(by: objects) }

    /// Objects that became resident.
    package func l1Wrote(objects: Int, salt: String) { self.l1.counters(of: salt).written.increment(by: objects) }

    /// Objects that left L1: evicted, cleared or deleted.
    package func l1Evicted(objects: Int, salt: String) { self.l1.counters(of: salt).evicted.increment(by: objects) }

    package func l1AllocationFailed(objects: Int, model: String, during purpose: AllocationPurpose = .store) {
        let key = L1Series.AllocationFailure(model: model, during: purpose.rawValue)
        self.l1.allocationFailures[key].increment(by: objects)
    }

    package func l1ReadFailed(
        objects: Int,
        model: String,
        reason: ReadFailureReason,
        during purpose: ReadPurpose = .retrieve
    ) {
        let key = L1Series.ReadFailure(model: model, during: purpose.rawValue, reason: reason.rawValue)
        self.l1.readFailures[key].increment(by: objects)
    }

    /// One round of the eviction loop.
    package func evictionTick(triggered: Bool) {
        self.l1.ticks.increment()
        if triggered { self.l1.triggered.increment() }
    }

    /// Eviction of a sampled chunk: seconds since it was allocated and since it was last used.
    package func l1SampledChunkEvicted(lifetimeSeconds: Double, idleSeconds: Double) {
        self.l1.lifetime.record(lifetimeSeconds)
        self.l1.idle.record(idleSeconds)
    }

    /// Use of a sampled chunk, seconds after the one before.
    package func l1SampledChunkReused(gapSeconds: Double) { self.l1.reuseGap.record(gapSeconds) }

    /// A sampled chunk was written again, seconds after its eviction; 300 when it never was.
    package func l1SampledChunkReturned(gapSeconds: Double) {
        self.l1.evictReuseGap.record(min(gapSeconds, 300))
    }

    /// Says where the L1 gauges come from; `read` runs at each scrape, once for each gauge.
    package func observeL1(_ read: @escaping @Sendable () -> L1GaugeReading) {
        self.registry.observeGauge(.l1MemoryUsage, labels: L1Series.gaugeLabels) { Double(read().usedBytes) }
        self.registry.observeGauge(.l1UsageRatio, labels: L1Series.gaugeLabels) {
            let reading = read()
            return reading.capacityBytes > 0 ? Double(reading.usedBytes) / Double(reading.capacityBytes) : 0
        }
        self.registry.observeGauge(.l1Staging, labels: L1Series.gaugeLabels) { Double(read().stagedBytes) }
    }
}
