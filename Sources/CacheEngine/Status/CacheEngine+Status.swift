// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Synchronization
package import Telemetry

extension CacheEngine {
    /// What `/status` shows, in the field's shape (server surface §2.3), with our own members beside.
    package func status() -> JSONValue {
        let usage = self.cache.usage()
        let figures = self.state.withLock { EngineFigures($0) }
        return .object(
            self.generalStatus(figures, isHealthy: usage.isHealthy)
                + [("storage_manager", self.storageStatus(usage))]
                + self.transferStatus(figures)
                + [("transfer_devices", .object(self.devices.map { ($0.name, $0.report.statusReport()) }))])
    }

    /// Sessions at work, for the gauges.
    package func sessionCount() -> Int { self.state.withLock { $0.sessions.count } }

    /// Lookups whose answer nobody has asked for, for the gauges.
    package func unansweredLookups() -> Int { self.state.withLock { $0.sessions.unansweredLookups } }

    /// Workers of both modes, for the gauges.
    package func workerCount() -> Int {
        self.state.withLock { $0.workers.count + $0.engineDrivenWorkers.count }
    }

    private func generalStatus(_ figures: EngineFigures, isHealthy: Bool) -> [(String, JSONValue)] {
        [
            ("is_healthy", .bool(isHealthy)),
            ("engine_type", "MPCacheServer"),
            ("chunk_size", .integer(self.configuration.chunkSize)),
            ("hash_algorithm", .string(self.configuration.hashAlgorithm.rawValue)),
            ("active_sessions", .integer(figures.sessions)),
            ("active_prefetch_jobs", .integer(figures.unansweredLookups)),
            ("active_p2p_lookup_jobs", 0),
            ("p2p_enabled", false),
            ("p2p_state", "unregistered"),
            ("p2p_peer_count", 0),
            ("p2p_peers", []),
        ]
    }

    private func storageStatus(_ usage: L1Usage) -> JSONValue {
        let cache: JSONValue = .object(self.cacheStatus(usage))
        let eviction = self.evictionStatus()
        let tiers = TierStatus(self.secondTier)
        let store = tiers.storeController
        return [
            "is_healthy": .bool(usage.isHealthy),
            "l1_managers": ["_default": cache],
            "store_controllers": ["_default": store],
            "l1_eviction_controllers": ["_default": eviction],
            "prefetch_controller": tiers.prefetchController,
            "l2_eviction_controller": tiers.evictionController,
            "l2_adapters": tiers.adapters,
            "num_l2_adapters": .integer(tiers.tiers.count),
            "l1_usage": [.integer(usage.usedBytes), .integer(usage.capacityBytes)],
            "l1_capacity_bytes_by_backend": ["dram": .integer(usage.capacityBytes)],
            "l1_manager": cache,
            "store_controller": store,
            "l1_eviction_controller": eviction,
            "eviction_controller": eviction,
        ]
    }

    private func cacheStatus(_ usage: L1Usage) -> [(String, JSONValue)] {
        [
            ("is_healthy", .bool(usage.isHealthy)),
            ("total_object_count", .integer(usage.objectCount)),
            ("write_locked_count", .integer(usage.stagedCount)),
            ("read_locked_count", .integer(usage.leasedCount)),
            ("temporary_count", 0),
            ("staging_object_count", .integer(usage.stagedCount)),
            ("staging_bytes", .integer(usage.stagedBytes)),
            ("memory_used_bytes", .integer(usage.usedBytes)),
            ("memory_total_bytes", .integer(usage.committedBytes)),
            ("memory_configured_bytes", .integer(usage.capacityBytes)),
            ("capacity_bytes_by_backend", ["dram": .integer(usage.capacityBytes)]),
            ("memory_usage_ratio", .double(usage.ratio)),
            ("write_ttl_seconds", .integer(Int(self.configuration.writeTimeToLive.components.seconds))),
            ("read_ttl_seconds", .integer(Int(self.configuration.sessionTimeToLive.components.seconds))),
            ("held_object_count", .integer(usage.heldCount)),
            ("detached_object_count", .integer(usage.detachedCount)),
            ("quarantined_object_count", .integer(usage.quarantinedCount)),
            ("stale_handle_count", .integer(usage.staleHandleCount)),
        ]
    }

    private func evictionStatus() -> JSONValue {
        let eviction = self.cache.evictionSettings
        return [
            "is_healthy": true, "thread_alive": true, "eviction_policy": .string(eviction.policy.rawValue),
            "trigger_watermark": .double(eviction.triggerWatermark), "eviction_ratio": .double(eviction.evictionRatio),
        ]
    }

    private func transferStatus(_ figures: EngineFigures) -> [(String, JSONValue)] {
        let reap = self.configuration.liveness.reapAfter
        let events = self.recorder.report()
        return [
            (
                "worker_liveness",
                [
                    "enabled": .bool(reap != nil), "reap_timeout_seconds": .double(reap?.seconds ?? 0),
                    "registration_grace_seconds": .double(self.configuration.liveness.registrationGrace.seconds),
                    "tracked_instances": .integer(figures.workers.count + figures.engineDrivenWorkers.count),
                ]
            ),
            (
                "kv_events",
                [
                    "enabled": .bool(events.isEnabled), "incarnation": .integer(Int(events.incarnation)),
                    "log_depth": .integer(events.depth), "log_capacity": .integer(events.capacity),
                    "next_seq": .integer(Int(events.nextSequence)), "lost_markers": .integer(events.lostMarkers),
                    "unbound_stores": .integer(events.unboundStores), "subscribers": .integer(events.subscribers),
                ]
            ),
            ("pending_transfers", ["open": .integer(figures.openTransfers), "orphaned": .integer(figures.orphans)]),
            ("registered_gpu_ids", .array(figures.workers.map { .integer(Int($0.request.instanceID.rawValue)) })),
            (
                "cache_context_meta",
                .object(figures.workers.map { ($0.request.instanceID.description, $0.statusReport()) })
            ),
            (
                "registered_non_cuda_instance_ids",
                .array(figures.engineDrivenWorkers.map { .integer(Int($0.request.instanceID.rawValue)) })
            ),
            (
                "non_cuda_context_meta",
                .object(figures.engineDrivenWorkers.map { ($0.request.instanceID.description, $0.statusReport()) })
            ),
        ]
    }
}

/// What the status page needs from the engine's state, copied out under its lock.
private struct EngineFigures {
    let sessions: Int
    let unansweredLookups: Int
    let openTransfers: Int
    let orphans: Int
    /// By instance id.
    let workers: [WorkerRegistration]
    let engineDrivenWorkers: [EngineDrivenWorker]

    init(_ state: borrowing EngineState) {
        self.sessions = state.sessions.count
        self.unansweredLookups = state.sessions.unansweredLookups
        self.openTransfers = state.pending.openCount
        self.orphans = state.pending.orphanCount
        self.workers = state.workers.values.sorted { $0.request.instanceID.rawValue < $1.request.instanceID.rawValue }
        self.engineDrivenWorkers = state.engineDrivenWorkers.values.sorted {
            $0.request.instanceID.rawValue < $1.request.instanceID.rawValue
        }
    }
}
