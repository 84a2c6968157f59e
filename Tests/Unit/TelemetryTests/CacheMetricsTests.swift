// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct CacheMetricsTests {
    private let registry = MetricsRegistry()
    private let metrics: CacheMetrics

    init() { self.metrics = CacheMetrics(registry: self.registry) }

    private func expect(_ lines: [String], _ location: SourceLocation = #_sourceLocation) {
        let present = Set(self.registry.exposition().split(separator: "\n").map(String.init))
        for line in lines { #expect(present.contains(line), "\(line)", sourceLocation: location) }
    }

    @Test func seriesWithoutPeerLabelsStartAtZero() {
        self.expect([
            "lmcache_mp_l1_read_chunks_total{l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_write_chunks_total{l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_evicted_chunks_total{l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_eviction_loop_ticks_total 0.0",
            "lmcache_mp_l1_eviction_loop_triggered_total 0.0",
            "lmcache_mp_l1_memory_usage_bytes{backend=\"dram\",l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_usage_ratio{backend=\"dram\",l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_staging_bytes{backend=\"dram\",l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_chunk_lifetime_seconds_bucket{l1_tag=\"_default\",le=\"14400.0\"} 0.0",
            "lmcache_mp_l1_chunk_lifetime_seconds_count{l1_tag=\"_default\"} 0.0",
            "lmcache_mp_active_prefetch_jobs 0.0", "lmcache_mp_active_p2p_lookup_jobs 0.0",
            "lmcache_mp_kv_events_log_depth 0.0", "lmcache_mp_event_bus_queue_depth 0.0",
            "lmcache_mp_event_bus_dropped_events_total 0.0", "lmcache_mp_reaped_workers_total 0.0",
            "lmcache_mp_unregistered_pings_total 0.0", "lmcache_mp_dropped_replies_total 0.0",
        ])
    }

    @Test func lookupsCountPerModelAndSalt() {
        self.metrics.lookupFinished(model: "m", salt: "", requestedTokens: 512, hitTokens: 256, hitObjects: 2)
        self.metrics.lookupFinished(model: "m", salt: "", requestedTokens: 512, hitTokens: 0, hitObjects: 0)
        self.metrics.lookupEndedEarly(model: "m", salt: "s", reason: .noGPUContext)
        self.expect([
            "lmcache_mp_lookups_requests_total{cache_salt=\"\",model_name=\"m\"} 2.0",
            "lmcache_mp_lookup_requested_tokens_total{cache_salt=\"\",model_name=\"m\"} 1024.0",
            "lmcache_mp_lookup_hit_tokens_total{cache_salt=\"\",model_name=\"m\"} 256.0",
            "lmcache_mp_lookup_hit_l1_tokens_total{cache_salt=\"\",model_name=\"m\"} 256.0",
            "lmcache_mp_lookup_hit_l2_tokens_total{cache_salt=\"\",model_name=\"m\"} 0.0",
            "lmcache_mp_lookup_hit_l1_keys_total{cache_salt=\"\",model_name=\"m\"} 2.0",
            "lmcache_mp_lookup_hit_l2_keys_total{cache_salt=\"\",model_name=\"m\"} 0.0",
            "lmcache_mp_lookups_requests_total{cache_salt=\"s\",model_name=\"m\"} 1.0",
            "lmcache_mp_lookup_early_exit_requests_total"
                + "{cache_salt=\"s\",model_name=\"m\",reason=\"no_gpu_context\"} 1.0",
        ])
    }

    @Test func transfersCountPerDeviceAndRecordTheirSpeed() {
        self.metrics.storeSubmitted(device: "cpu")
        self.metrics.storeFinished(device: "cpu", instance: "7", model: "m", bytes: 2_000_000_000, seconds: 0.5)
        self.metrics.retrieveSubmitted(device: "cpu")
        self.metrics.retrieveFinished(
            device: "cpu",
            instance: "7",
            model: "m",
            salt: "s",
            chunks: 3,
            bytes: 3_000_000_000,
            seconds: 1
        )
        self.metrics.retrieveFinished(
            device: "cpu",
            instance: "7",
            model: "m",
            salt: "s",
            chunks: 0,
            bytes: 0,
            seconds: 0
        )
        self.expect([
            "lmcache_mp_num_submitted_stores_total{device=\"cpu\"} 1.0",
            "lmcache_mp_num_finished_stores_total{device=\"cpu\"} 1.0",
            "lmcache_mp_num_submitted_retrieves_total{device=\"cpu\"} 1.0",
            "lmcache_mp_num_finished_retrieves_total{device=\"cpu\"} 2.0",
            "lmcache_mp_num_chunks_loaded_total{cache_salt=\"s\",model_name=\"m\",worker_id=\"7\"} 3.0",
            "lmcache_mp_l0_l1_store_throughput_GB_per_second_sum"
                + "{device=\"cpu\",engine_id=\"7\",model_name=\"m\"} 4.0",
            "lmcache_mp_l0_l1_load_throughput_GB_per_second_count"
                + "{device=\"cpu\",engine_id=\"7\",model_name=\"m\"} 1.0",
        ])
    }

    @Test func saltsAreLabelledOnlyWhenThereIsOne() {
        self.metrics.l1Read(objects: 4, salt: "")
        self.metrics.l1Wrote(objects: 5, salt: "s")
        self.metrics.l1Evicted(objects: 6, salt: "s")
        self.expect([
            "lmcache_mp_l1_read_chunks_total{l1_tag=\"_default\"} 4.0",
            "lmcache_mp_l1_write_chunks_total{l1_tag=\"_default\"} 0.0",
            "lmcache_mp_l1_write_chunks_total{cache_salt=\"s\",l1_tag=\"_default\"} 5.0",
            "lmcache_mp_l1_evicted_chunks_total{cache_salt=\"s\",l1_tag=\"_default\"} 6.0",
        ])
    }

    @Test func failuresRefusalsAndTicksCount() {
        self.metrics.l1AllocationFailed(objects: 2, model: "m")
        self.metrics.l1ReadFailed(objects: 1, model: "m", reason: .notFound)
        self.metrics.evictionTick(triggered: false)
        self.metrics.evictionTick(triggered: true)
        self.metrics.requestRefused(operation: "LOOKUP", reason: "malformed")
        self.metrics.workerReaped()
        self.metrics.pingFalse()
        self.metrics.timedOut(kind: "WaitLimit")
        self.expect([
            "lmcache_mp_l1_allocation_failure_chunks_total{during=\"l1_store\",model_name=\"m\"} 2.0",
            "lmcache_mp_l1_read_failure_chunks_total"
                + "{during=\"l1_retrieve\",model_name=\"m\",reason=\"not_found\"} 1.0",
            "lmcache_mp_l1_eviction_loop_ticks_total 2.0",
            "lmcache_mp_l1_eviction_loop_triggered_total 1.0",
            "lmcache_mp_refused_requests_total{operation=\"LOOKUP\",reason=\"malformed\"} 1.0",
            "lmcache_mp_reaped_workers_total 1.0", "lmcache_mp_unregistered_pings_total 1.0",
            "lmcache_mp_timeouts_total{exception_type=\"WaitLimit\"} 1.0",
        ])
    }

    @Test func gaugesAreReadAtTheScrape() {
        self.metrics.observeL1 { L1GaugeReading(usedBytes: 25, capacityBytes: 100, stagedBytes: 5) }
        self.metrics.observeActivePrefetchJobs { 3 }
        self.metrics.observeKVEventLogDepth { 4 }
        self.metrics.observeActiveSessions { 5 }
        self.metrics.observeRegisteredWorkers { 6 }
        self.metrics.observeDroppedReplies { 7 }
        self.expect([
            "lmcache_mp_l1_memory_usage_bytes{backend=\"dram\",l1_tag=\"_default\"} 25.0",
            "lmcache_mp_l1_usage_ratio{backend=\"dram\",l1_tag=\"_default\"} 0.25",
            "lmcache_mp_l1_staging_bytes{backend=\"dram\",l1_tag=\"_default\"} 5.0",
            "lmcache_mp_active_prefetch_jobs 3.0", "lmcache_mp_kv_events_log_depth 4.0",
            "lmcache_mp_active_sessions 5.0", "lmcache_mp_registered_workers 6.0",
            "lmcache_mp_dropped_replies_total 7.0",
        ])
    }

    @Test func endlessSaltsDoNotFillTheMemory() {
        for number in 0..<3000 { self.metrics.l1Wrote(objects: 1, salt: "\(number)") }
        let text = self.registry.exposition()
        let count = text.split(separator: "\n").count { $0.hasPrefix("lmcache_mp_l1_write_chunks_total") }
        #expect(count == 1002)
        #expect(text.contains("lmcache_mp_l1_write_chunks_total{otel_metric_overflow=\"true\"} 2000.0\n"))
    }
}
