// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of the tiers behind L1.
extension MetricDescription {
    static let l2StoreSubmitted = MetricDescription(
        "lmcache_mp_l2_store_submitted_requests_total",
        .counter,
        unit: "requests",
        "Store tasks handed to L2 adapters."
    )
    static let l2StoreSubmittedObjects = MetricDescription(
        "lmcache_mp_l2_store_submitted_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects in store tasks handed to L2 adapters."
    )
    static let l2StoreCompleted = MetricDescription(
        "lmcache_mp_l2_store_completed_requests_total",
        .counter,
        unit: "requests",
        labels: ["l2_name"],
        "Store tasks of an L2 adapter that are over, whether they succeeded or not."
    )
    static let l2StoreCompletedObjects = MetricDescription(
        "lmcache_mp_l2_store_completed_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects that an L2 adapter stored or had already."
    )
    static let l2StoreDropped = MetricDescription(
        "lmcache_mp_l2_store_dropped_objects_chunks_total",
        .counter,
        unit: "chunks",
        "Objects that were not stored in L2 because too much was queued."
    )
    static let l2LoadCompleted = MetricDescription(
        "lmcache_mp_l2_load_completed_requests_total",
        .counter,
        unit: "requests",
        labels: ["l2_name"],
        "Load tasks of an L2 adapter that are over."
    )
    static let l2Lookups = MetricDescription(
        "lmcache_mp_l2_prefetch_lookup_requests_total",
        .counter,
        unit: "requests",
        "Questions that lookups put to L2 adapters."
    )
    static let l2LookupObjects = MetricDescription(
        "lmcache_mp_l2_prefetch_lookup_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects that L2 adapters were asked for."
    )
    static let l2LoadSubmitted = MetricDescription(
        "lmcache_mp_l2_prefetch_load_submitted_requests_total",
        .counter,
        unit: "requests",
        "Load tasks handed to L2 adapters."
    )
    static let l2LoadSubmittedObjects = MetricDescription(
        "lmcache_mp_l2_prefetch_load_submitted_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects in load tasks handed to L2 adapters."
    )
    static let l2LoadCompletedObjects = MetricDescription(
        "lmcache_mp_l2_prefetch_load_completed_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects that were loaded from L2."
    )
    static let l2Evicted = MetricDescription(
        "lmcache_mp_l2_evicted_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["cache_salt"],
        "Objects that eviction deleted from L2."
    )
    static let l2PrefetchFailure = MetricDescription(
        "lmcache_mp_l2_prefetch_failure_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["model_name", "reason"],
        "Objects that L2 had and a lookup did not get."
    )
    static let l2StoreThroughput = MetricDescription(
        "lmcache_mp_l2_store_throughput_GB_per_second",
        .histogram,
        unit: "10^9 bytes per second",
        labels: ["l2_name"],
        "Speed of L2 store tasks, waiting in the adapter included."
    )
    static let l2LoadThroughput = MetricDescription(
        "lmcache_mp_l2_load_throughput_GB_per_second",
        .histogram,
        unit: "10^9 bytes per second",
        labels: ["l2_name"],
        "Speed of L2 load tasks, waiting in the adapter included."
    )
    static let l2StoreMilliseconds = MetricDescription(
        "lmcache_mp_l2_store_duration_milliseconds",
        .histogram,
        unit: "milliseconds",
        labels: ["l2_name"],
        "Time of L2 store tasks."
    )
    static let l2LookupMilliseconds = MetricDescription(
        "lmcache_mp_l2_lookup_duration_milliseconds",
        .histogram,
        unit: "milliseconds",
        labels: ["l2_name"],
        "Time of questions to L2 adapters."
    )
    static let l2LoadMilliseconds = MetricDescription(
        "lmcache_mp_l2_load_duration_milliseconds",
        .histogram,
        unit: "milliseconds",
        labels: ["l2_name"],
        "Time of L2 load tasks."
    )
    static let l2StoredBytes = MetricDescription(
        "lmcache_mp_l2_stored_bytes_total",
        .counter,
        unit: "bytes",
        labels: ["l2_name"],
        "Bytes written to an L2 adapter."
    )
    static let l2LoadedBytes = MetricDescription(
        "lmcache_mp_l2_loaded_bytes_total",
        .counter,
        unit: "bytes",
        labels: ["l2_name"],
        "Bytes loaded from an L2 adapter."
    )
    static let l2LoadedObjects = MetricDescription(
        "lmcache_mp_l2_loaded_objects_chunks_total",
        .counter,
        unit: "chunks",
        labels: ["l2_name"],
        "Objects loaded from an L2 adapter."
    )
    static let l2Failures = MetricDescription(
        "lmcache_mp_l2_failures_total",
        .counter,
        unit: "objects",
        labels: ["l2_name", "reason"],
        "Objects whose L2 operation could not be carried out."
    )
    static let l2Damaged = MetricDescription(
        "lmcache_mp_l2_damaged_objects_total",
        .counter,
        unit: "objects",
        labels: ["l2_name", "reason"],
        "Times that an L2 adapter had something else under an object's name than was stored."
    )
    static let l2Refused = MetricDescription(
        "lmcache_mp_l2_refused_requests_total",
        .counter,
        unit: "requests",
        labels: ["l2_name"],
        "Tasks that an L2 adapter did not take because too much was queued."
    )
    static let l2Usage = MetricDescription(
        "lmcache_mp_l2_usage_bytes",
        .gauge,
        unit: "bytes",
        labels: ["l2_name"],
        "Bytes in an L2 adapter, by its own accounts."
    )
    static let l2Available = MetricDescription(
        "lmcache_mp_l2_available",
        .gauge,
        unit: "state",
        labels: ["l2_name"],
        "1 while an L2 adapter answers, 0 while it is left out."
    )
    static let l2StoreAdapters = MetricDescription(
        "lmcache_mp_l2_store_adapters",
        .gauge,
        unit: "adapters",
        labels: ["state", "l1_tag"],
        "L2 adapters that are written."
    )
    static let l2PrefetchAdapters = MetricDescription(
        "lmcache_mp_l2_prefetch_adapters",
        .gauge,
        unit: "adapters",
        labels: ["state"],
        "L2 adapters that are asked."
    )
    static let l2StoresInFlight = MetricDescription(
        "lmcache_mp_num_inflight_l2_stores",
        .gauge,
        unit: "requests",
        labels: ["l2_name", "adapter_index"],
        "Store tasks that an L2 adapter works on."
    )
    static let l2LoadsInFlight = MetricDescription(
        "lmcache_mp_num_inflight_l2_loads",
        .gauge,
        unit: "requests",
        labels: ["l2_name", "adapter_index"],
        "Load tasks that an L2 adapter works on."
    )
    static let l2LoadBytesInFlight = MetricDescription(
        "lmcache_mp_inflight_load_memory_usage_bytes",
        .gauge,
        unit: "bytes",
        labels: ["l2_name", "adapter_index"],
        "L1 bytes reserved by running loads."
    )

    static let l2: [MetricDescription] = [
        .l2StoreSubmitted, .l2StoreSubmittedObjects, .l2StoreCompleted, .l2StoreCompletedObjects, .l2StoreDropped,
        .l2LoadCompleted, .l2Lookups, .l2LookupObjects, .l2LoadSubmitted, .l2LoadSubmittedObjects,
        .l2LoadCompletedObjects, .l2Evicted, .l2PrefetchFailure, .l2StoreThroughput, .l2LoadThroughput,
        .l2StoreMilliseconds, .l2LookupMilliseconds, .l2LoadMilliseconds, .l2StoredBytes, .l2LoadedBytes,
        .l2LoadedObjects, .l2Failures, .l2Damaged, .l2Refused, .l2Usage, .l2Available, .l2StoreAdapters,
        .l2PrefetchAdapters,
        .l2StoresInFlight, .l2LoadsInFlight, .l2LoadBytesInFlight,
    ]
}
