// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
package import Telemetry

extension TierReport {
    /// One adapter as `/status` shows it (server surface §2.3).
    package var status: JSONValue { TierStatus.adapter(self) }
}

/// The second tier's parts of `/status`, in the field's shape (server surface §2.3).
struct TierStatus {
    let report: SecondTierReport
    let tiers: [TierReport]
    let settings: SecondTierSettings

    init(_ tier: SecondTier) {
        self.report = tier.report()
        self.tiers = tier.reports()
        self.settings = tier.settings
    }

    var isHealthy: Bool { self.tiers.allSatisfy(\.isAnswering) }

    private var counts: [(String, JSONValue)] {
        let draining = self.tiers.count(where: \.isDraining)
        return [
            ("num_l2_adapters", .integer(self.tiers.count)),
            ("num_active_adapters", .integer(self.tiers.count - draining)),
            ("num_draining_adapters", .integer(draining)),
        ]
    }

    var storeController: JSONValue {
        .object(
            [
                ("is_healthy", true), ("thread_alive", true),
                ("pending_keys_count", .integer(self.report.trackedObjects)),
                ("in_flight_task_count", .integer(self.report.storesInFlight)),
            ] + self.counts + [
                ("stored_object_count", .integer(self.report.stores.stored)),
                ("retried_object_count", .integer(self.report.stores.retried)),
                ("dropped_object_count", .integer(self.report.stores.dropped)),
                ("failed_object_count", .integer(self.report.stores.failed)),
                ("evicted_before_store_count", .integer(self.report.stores.gone)),
            ])
    }

    var prefetchController: JSONValue {
        let inFlight = self.report.prefetchesInFlight
        return .object(
            [
                ("is_healthy", true), ("thread_alive", true),
                ("max_in_flight", .integer(self.settings.prefetches.inFlight)),
                ("submission_queue_size", 0), ("pending_queue_size", .integer(self.report.prefetchesQueued)),
                ("in_flight_request_count", .integer(inFlight)),
                ("lookup_phase_count", .integer(inFlight - self.report.prefetchesLoading)),
                ("load_phase_count", .integer(self.report.prefetchesLoading)), ("completed_results_count", 0),
            ] + self.counts + [
                ("overdue_request_count", .integer(self.report.prefetches.overdue)),
                ("cancelled_request_count", .integer(self.report.prefetches.cancelled)),
            ])
    }

    var evictionController: JSONValue {
        let entries: [JSONValue] = self.tiers.compactMap { tier in
            guard let eviction = tier.description.eviction else { return nil }
            return [
                "adapter_index": .integer(tier.id.rawValue), "eviction_policy": .string(eviction.policy.rawValue),
                "trigger_watermark": .double(eviction.triggerWatermark),
                "eviction_ratio": .double(eviction.evictionRatio),
                "current_usage": .double(tier.usage.fraction ?? -1),
                "total_bytes_used": .integer(tier.usage.usedBytes),
                "total_capacity_bytes": .integer(tier.usage.capacityBytes ?? 0),
                "num_cache_salt_buckets": .integer(tier.usage.bytesBySalt.count),
            ]
        }
        return ["is_healthy": true, "thread_alive": true, "adapters": .array(entries)]
    }

    var adapters: JSONValue { .array(self.tiers.map { Self.adapter($0) }) }

    fileprivate static func adapter(_ tier: TierReport) -> JSONValue {
        func number(_ value: UInt64) -> JSONValue { .integer(Int(clamping: value)) }
        let counters = tier.counters
        return [
            "is_healthy": .bool(tier.isAnswering), "type": .string(tier.description.kind),
            "adapter_index": .integer(tier.id.rawValue), "l2_name": .string(tier.name),
            "state": .string(tier.isDraining ? "draining" : "active"), "shared": .bool(tier.description.isShared),
            "stored_object_count": .integer(tier.usage.objectCount),
            "current_size_bytes": .integer(tier.usage.usedBytes),
            "usage": .string(tier.usage.completeness.rawValue),
            "max_capacity_bytes": .integer(tier.usage.capacityBytes ?? 0),
            "queued_store_count": .integer(tier.queuedObjects),
            "in_flight_store_count": .integer(tier.storesInFlight),
            "in_flight_load_count": .integer(tier.loadsInFlight), "breaker_openings": number(tier.breakerOpenings),
            "succeeded": number(counters.succeeded), "missed": number(counters.missed),
            "mismatched": number(counters.mismatched), "corrupted": number(counters.corrupted),
            "failed": number(counters.failed),
            "answered_late": number(counters.answeredLate), "refused": number(counters.refused),
            "stored_bytes": number(counters.storedBytes), "loaded_bytes": number(counters.loadedBytes),
        ]
    }
}
