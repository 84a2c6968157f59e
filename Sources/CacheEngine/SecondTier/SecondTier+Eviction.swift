// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Storage
import Logging
import Synchronization
import Telemetry

extension SecondTier {
    /// Looks at the tiers that evict, about once a second. One deletion at a time for each tier.
    func evictIfDue(now: L2Instant) {
        let (tiers, quotas) = self.state.withLock { state -> ([Tier], [String: Int]) in
            guard now >= state.nextEviction else { return ([], [:]) }
            state.nextEviction = now.advanced(milliseconds: self.settings.evictionIntervalMilliseconds)
            let due = state.tiers.filter { tier in
                tier.eviction != nil && !state.evicting.contains(tier.id) && !tier.isDraining
            }
            return (due, state.quotas)
        }
        for tier in tiers where tier.mayPass(now: now) { self.evict(tier, quotas: quotas, now: now) }
    }

    private func evict(_ tier: Tier, quotas: [String: Int], now: L2Instant) {
        let usage = tier.adapter.usage()
        // Which objects are the oldest is known after the count.
        guard usage.completeness != .counting else { return }
        guard let demands = tier.eviction?.demands(usage, quotas: quotas), !demands.isEmpty else { return }
        // Objects of one salt may lie anywhere in the order of use.
        let isSalted = demands.contains { $0.salt != nil }
        let oldest = tier.adapter.leastRecent(limit: isSalted ? usage.objectCount : self.settings.evictionLimit)
        let victims = TierEviction.victims(
            demands, oldest: oldest, usage: usage, limit: self.settings.evictionLimit)
        guard !victims.isEmpty, tier.request(now: now) else { return }
        self.state.withLock { _ = $0.evicting.insert(tier.id) }
        let submission = tier.adapter.submit(
            L2Batch(.delete(victims), deadline: now.advanced(milliseconds: self.settings.storeDeadlineMilliseconds)) {
                [weak self] results in
                guard let self else { return }
                self.report(results, tier)
                for (salt, count) in Self.deletions(victims, results) {
                    self.metrics.l2Evicted(objects: count, salt: salt)
                }
                self.post(.evicted(tier.id))
            })
        if case .accepted = submission { return }
        self.report(.none, tier)
        self.post(.evicted(tier.id))
    }

    private static func deletions(_ keys: [ObjectKey], _ results: [L2Result]) -> [String: Int] {
        var deleted: [String: Int] = [:]
        for (key, result) in zip(keys, results) where result.isSuccess { deleted[key.cacheSalt, default: 0] += 1 }
        return deleted
    }
}
