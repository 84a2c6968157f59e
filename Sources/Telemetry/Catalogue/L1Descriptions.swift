// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of the memory tier.
extension MetricDescription {
    static let l1Read = MetricDescription(
        "lmcache_mp_l1_read_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["l1_tag", "cache_salt"],
        "Objects read from L1 and released."
    )
    static let l1Write = MetricDescription(
        "lmcache_mp_l1_write_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["l1_tag", "cache_salt"],
        "Objects that became resident in L1."
    )
    static let l1Evicted = MetricDescription(
        "lmcache_mp_l1_evicted_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["l1_tag", "cache_salt"],
        "Objects that left L1, for whatever reason."
    )
    static let l1EvictionTicks = MetricDescription(
        "lmcache_mp_l1_eviction_loop_ticks_total",
        .counter,
        unit: "rounds",
        "Rounds of the L1 eviction loop."
    )
    static let l1EvictionTriggered = MetricDescription(
        "lmcache_mp_l1_eviction_loop_triggered_total",
        .counter,
        unit: "rounds",
        "Rounds of the L1 eviction loop that found usage at or above the watermark."
    )
    static let l1AllocationFailure = MetricDescription(
        "lmcache_mp_l1_allocation_failure_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["during", "model_name"],
        "Objects for which L1 had no memory."
    )
    static let l1ReadFailure = MetricDescription(
        "lmcache_mp_l1_read_failure_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["during", "model_name", "reason"],
        "Objects that a lookup had found but a read could not get."
    )
    static let l1MemoryUsage = MetricDescription(
        "lmcache_mp_l1_memory_usage_bytes",
        .gauge,
        unit: "bytes",
        labels: ["backend", "l1_tag"],
        "Bytes of L1 memory in use."
    )
    static let l1UsageRatio = MetricDescription(
        "lmcache_mp_l1_usage_ratio",
        .gauge,
        unit: "ratio",
        labels: ["backend", "l1_tag"],
        "Share of L1 memory in use, 0 to 1."
    )
    static let l1Staging = MetricDescription(
        "lmcache_mp_l1_staging_bytes",
        .gauge,
        unit: "bytes",
        labels: ["backend", "l1_tag"],
        "Bytes reserved for objects that are not resident yet."
    )
    static let l1ChunkLifetime = MetricDescription(
        "lmcache_mp_l1_chunk_lifetime_seconds",
        .histogram,
        unit: "seconds",
        labels: ["l1_tag"],
        buckets: HistogramBuckets.lifetime,
        "Time from allocation to eviction of sampled chunks."
    )
    static let l1ChunkIdle = MetricDescription(
        "lmcache_mp_l1_chunk_idle_before_evict_seconds",
        .histogram,
        unit: "seconds",
        labels: ["l1_tag"],
        buckets: HistogramBuckets.lifetime,
        "Time from the last use to eviction of sampled chunks."
    )
    static let l1ChunkReuseGap = MetricDescription(
        "lmcache_mp_l1_chunk_reuse_gap_seconds",
        .histogram,
        unit: "seconds",
        labels: ["l1_tag"],
        buckets: HistogramBuckets.lifetime,
        "Time between two uses of sampled chunks."
    )
    static let l1ChunkEvictReuseGap = MetricDescription(
        "lmcache_mp_l1_chunk_evict_reuse_gap_seconds",
        .histogram,
        unit: "seconds",
        labels: ["l1_tag"],
        buckets: HistogramBuckets.lifetimeToFiveMinutes,
        "Time from eviction of sampled chunks until they are written again, 300 at most."
    )

    static let l1: [MetricDescription] = [
        .l1Read, .l1Write, .l1Evicted, .l1EvictionTicks, .l1EvictionTriggered, .l1AllocationFailure, .l1ReadFailure,
        .l1MemoryUsage, .l1UsageRatio, .l1Staging, .l1ChunkLifetime, .l1ChunkIdle, .l1ChunkReuseGap,
        .l1ChunkEvictReuseGap,
    ]
}
