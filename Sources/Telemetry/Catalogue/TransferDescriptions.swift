// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of copies between engines and L1, and of the engines themselves.
extension MetricDescription {
    static let storesSubmitted = MetricDescription(
        "lmcache_mp_num_submitted_stores_total",
        .counter,
        unit: "requests",
        labels: ["device"],
        "Stores put on a device's queue."
    )
    static let storesFinished = MetricDescription(
        "lmcache_mp_num_finished_stores_total",
        .counter,
        unit: "requests",
        labels: ["device"],
        "Stores taken off a device's queue, whether they succeeded or not."
    )
    static let retrievesSubmitted = MetricDescription(
        "lmcache_mp_num_submitted_retrieves_total",
        .counter,
        unit: "requests",
        labels: ["device"],
        "Retrieves put on a device's queue."
    )
    static let retrievesFinished = MetricDescription(
        "lmcache_mp_num_finished_retrieves_total",
        .counter,
        unit: "requests",
        labels: ["device"],
        "Retrieves taken off a device's queue, whether they succeeded or not."
    )
    static let chunksLoaded = MetricDescription(
        "lmcache_mp_num_chunks_loaded_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt", "model_name", "worker_id"],
        "Chunks that retrieves gave to engines."
    )
    static let storeThroughput = MetricDescription(
        "lmcache_mp_l0_l1_store_throughput_GB_per_second",
        .histogram,
        unit: "10^9 bytes per second",
        labels: ["device", "engine_id", "model_name"],
        "Speed of stores, from start to end of the copy."
    )
    static let loadThroughput = MetricDescription(
        "lmcache_mp_l0_l1_load_throughput_GB_per_second",
        .histogram,
        unit: "10^9 bytes per second",
        labels: ["device", "engine_id", "model_name"],
        "Speed of retrieves, from start to end of the copy."
    )
    static let l0BlockLifetime = MetricDescription(
        "lmcache_mp_l0_block_lifetime_seconds",
        .histogram,
        unit: "seconds",
        labels: ["instance_id", "model_name"],
        "Time from allocation of an engine's block to its use for other tokens."
    )
    static let l0BlockIdle = MetricDescription(
        "lmcache_mp_l0_block_idle_before_evict_seconds",
        .histogram,
        unit: "seconds",
        labels: ["instance_id", "model_name"],
        "Time from the last use of an engine's block to its use for other tokens."
    )
    static let l0BlockReuseGap = MetricDescription(
        "lmcache_mp_l0_block_reuse_gap_seconds",
        .histogram,
        unit: "seconds",
        labels: ["instance_id", "model_name"],
        "Time between two uses of an engine's block for the same tokens."
    )

    static let transfer: [MetricDescription] = [
        .storesSubmitted, .storesFinished, .retrievesSubmitted, .retrievesFinished, .chunksLoaded, .storeThroughput,
        .loadThroughput, .l0BlockLifetime, .l0BlockIdle, .l0BlockReuseGap,
    ]
}
