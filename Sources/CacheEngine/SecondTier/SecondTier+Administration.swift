// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import L1Cache
package import L2Storage
import Logging
import NativeThreads
import Synchronization
import Telemetry

/// What administrators ask for.
extension SecondTier {
    // MARK: Adapters

    /// Adds a tier behind those that are there. It is asked and written from now on.
    package func add(_ adapter: any L2Adapter, description: TierDescription) -> TierID {
        let tier = self.state.withLock { state -> Tier in
            state.lastTier += 1
            let id = TierID(state.lastTier)
            let isNamed = state.tiers.contains { $0.name == description.kind }
            let tier = Tier(
                id: id, name: isNamed ? "\(description.kind)-\(id)" : description.kind, adapter: adapter,
                description: description, breaker: self.settings.breaker, runsThreads: self.settings.runsThreads)
            state.tiers.append(tier)
            state.stores.add(id)
            return tier
        }
        self.observe(tier)
        self.countActive()
        self.startThread()
        self.logger.info("L2 \(tier.name) added (adapter \(tier.id))")
        return tier.id
    }

    /// Takes a tier away: no new work at once, what runs may end within `milliseconds`, then the adapter is closed.
    ///
    /// Blocks the caller. What the tier stores stays there.
    ///
    /// - Returns: False for an unknown tier, and when a transfer still ran after the time; the tier is gone all the same.
    package func remove(_ id: TierID, milliseconds: Int) -> Bool {
        guard let tier = self.tier(id), !tier.isDraining else { return false }
        tier.startDraining()
        self.countActive()
        let deadline = self.clock.now().advanced(milliseconds: UInt64(max(0, milliseconds)))
        while self.settings.runsThreads, self.clock.now() < deadline, self.isBusy(tier) {
            guard !self.removalsEnd.wait(milliseconds: 5) else { break }
        }
        let isClosed = tier.close(milliseconds: self.settings.closeMilliseconds)
        let complete = self.state.withLock { state in
            state.tiers.removeAll { $0.id == id }
            state.bindings.forget(id)
            return state.stores.remove(id)
        }
        self.complete(complete)
        self.logger.info("L2 \(tier.name) removed (adapter \(id))")
        return isClosed
    }

    /// Lets removals, now and from now on, wait for nothing but the adapter's own end.
    package func endRemovals() { self.removalsEnd.raise() }

    private func observe(_ tier: Tier) {
        self.metrics.observeL2(tier: tier.name, index: tier.id.rawValue) { [weak self] in
            self?.gauges(tier.id) ?? L2GaugeReading()
        }
        self.metrics.observeL2Adapters { [weak self] in
            self?.state.withLock { state in
                let draining = state.tiers.count(where: \.isDraining)
                return (state.tiers.count - draining, draining)
            } ?? (0, 0)
        }
    }

    private func gauges(_ id: TierID) -> L2GaugeReading? {
        guard let report = self.reports().first(where: { $0.id == id }) else { return nil }
        var reading = L2GaugeReading()
        reading.usedBytes = report.usage.usedBytes
        reading.isAnswering = report.isAnswering
        reading.storesInFlight = report.storesInFlight
        reading.loadsInFlight = report.loadsInFlight
        reading.loadBytesInFlight = report.loadBytesInFlight
        return reading
    }

    private func isBusy(_ tier: Tier) -> Bool {
        self.state.withLock { state in
            state.stores.batchesInFlight(of: tier.id) + state.stores.queuedObjects(of: tier.id) > 0
                || state.tasks.values.contains { $0.tier == tier.id }
        }
    }

    // MARK: Objects

    /// Lists a tier's keys, a page at a time. Nil for an unknown tier.
    package func list(
        _ id: TierID, _ query: L2ListQuery, completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void
    ) -> L2Submission? {
        self.tier(id)?.adapter.list(query, completion: completion)
    }

    /// Deletes objects from a tier. Nil for an unknown tier.
    ///
    /// - Parameter completion: One result a key, in order.
    package func delete(
        _ keys: [ObjectKey], from id: TierID, deadlineMilliseconds: UInt64 = 30_000,
        completion: @escaping @Sendable ([L2Result]) -> Void
    ) -> L2Submission? {
        let deadline = self.clock.now().advanced(milliseconds: deadlineMilliseconds)
        return self.tier(id)?.adapter.submit(L2Batch(.delete(keys), deadline: deadline, completion: completion))
    }

    // MARK: Quotas

    /// Limits a salt's bytes on tiers that evict by `IsolatedLRU`. In memory only.
    package func setQuota(_ bytes: Int, salt: String) { self.state.withLock { $0.quotas[salt] = max(0, bytes) } }

    /// False when there was none.
    package func removeQuota(salt: String) -> Bool {
        self.state.withLock { $0.quotas.removeValue(forKey: salt) != nil }
    }

    /// Bytes by salt.
    package func quotas() -> [String: Int] { self.state.withLock { $0.quotas } }

    /// Bytes by salt that all tiers hold.
    package func usageBySalt() -> [String: Int] {
        var sum: [String: Int] = [:]
        for tier in self.state.withLock({ $0.tiers }) {
            for (salt, bytes) in tier.adapter.usage().bytesBySalt {
                sum[salt, default: 0] = sum[salt, default: 0].addingReportingOverflow(bytes).partialValue
            }
        }
        return sum
    }

    // MARK: Figures

    /// Every tier, in the order in which they are asked.
    package func reports() -> [TierReport] {
        self.state.withLock { $0.tiers }.map { tier in
            let (usage, counters) = (tier.adapter.usage(), tier.adapter.counters())
            return self.state.withLock { state in
                let loads = state.tasks.values.filter { $0.tier == tier.id && $0.loadedBytes > 0 }
                return TierReport(
                    id: tier.id, name: tier.name, description: tier.description, isDraining: tier.isDraining,
                    isAnswering: tier.isAnswering, breakerOpenings: tier.breakerOpenings, usage: usage,
                    counters: counters, queuedObjects: state.stores.queuedObjects(of: tier.id),
                    storesInFlight: state.stores.batchesInFlight(of: tier.id),
                    storeBytesInFlight: state.stores.bytesInFlight(of: tier.id), loadsInFlight: loads.count,
                    loadBytesInFlight: loads.reduce(0) { $0 + $1.loadedBytes })
            }
        }
    }

    /// Both controllers at one moment.
    package func report() -> SecondTierReport {
        self.state.withLock { state in
            SecondTierReport(
                stores: state.stores.counters, prefetches: state.prefetches.counters,
                trackedObjects: state.stores.trackedObjects, storesInFlight: state.stores.inFlightCount,
                prefetchesQueued: state.prefetches.queuedCount, prefetchesInFlight: state.prefetches.inFlightCount,
                prefetchesLoading: state.prefetches.count { $0 }, firstDeadline: state.prefetches.firstDeadline,
                isIdle: state.stores.isIdle && state.prefetches.isIdle
            )
        }
    }
}

/// One tier at one moment.
package struct TierReport: Sendable {
    package let id: TierID
    /// Names the tier in metrics.
    package let name: String
    package let description: TierDescription
    package let isDraining: Bool
    /// False while its breaker is open.
    package let isAnswering: Bool
    package let breakerOpenings: UInt64
    package let usage: L2Usage
    package let counters: L2Counters
    /// Objects that wait to be stored.
    package let queuedObjects: Int
    package let storesInFlight: Int
    package let storeBytesInFlight: Int
    package let loadsInFlight: Int
    package let loadBytesInFlight: Int
}

/// What the controllers are doing and have done.
package struct SecondTierReport: Sendable {
    package let stores: StoreController.Counters
    package let prefetches: PrefetchController.Counters
    /// Objects that some tier does not have yet.
    package let trackedObjects: Int
    package let storesInFlight: Int
    package let prefetchesQueued: Int
    package let prefetchesInFlight: Int
    package let prefetchesLoading: Int
    /// The earliest deadline of a running prefetch, by the tiers' clock.
    package let firstDeadline: L2Instant?
    package let isIdle: Bool
}
