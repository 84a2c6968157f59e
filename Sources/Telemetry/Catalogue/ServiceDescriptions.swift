// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of the server around the cache.
extension MetricDescription {
    static let timeouts = MetricDescription(
        "lmcache_mp_timeouts_total",
        .counter,
        unit: "timeouts",
        labels: ["exception_type"],
        "Waits inside the server that ran into their limit."
    )
    static let kvEventsLogDepth = MetricDescription(
        "lmcache_mp_kv_events_log_depth",
        .gauge,
        unit: "records",
        "Records kept for subscribers of KV events."
    )
    static let eventBusQueueDepth = MetricDescription(
        "lmcache_mp_event_bus_queue_depth",
        .gauge,
        unit: "events",
        "Events waiting for the metrics; always 0 here."
    )
    static let eventBusDrainLag = MetricDescription(
        "lmcache_mp_event_bus_drain_lag_seconds",
        .gauge,
        unit: "seconds",
        "Age of the oldest waiting event; always 0 here."
    )
    static let eventBusDropped = MetricDescription(
        "lmcache_mp_event_bus_dropped_events_total",
        .counter,
        unit: "events",
        "Events lost before they were counted; always 0 here."
    )
    static let eventBusSubscriberExceptions = MetricDescription(
        "lmcache_mp_event_bus_subscriber_exceptions_total",
        .counter,
        unit: "exceptions",
        labels: ["subscriber_name"],
        "Failures while events were counted; never any here."
    )
    static let refusedRequests = MetricDescription(
        "lmcache_mp_refused_requests_total",
        .counter,
        unit: "requests",
        labels: ["operation", "reason"],
        "Requests answered with a refusal."
    )
    static let reapedWorkers = MetricDescription(
        "lmcache_mp_reaped_workers_total",
        .counter,
        unit: "workers",
        "Registrations dropped because the engine fell silent or was gone."
    )
    static let unregisteredPings = MetricDescription(
        "lmcache_mp_unregistered_pings_total",
        .counter,
        unit: "requests",
        "Pings answered false, which tells an engine to register again."
    )
    static let registeredWorkers = MetricDescription(
        "lmcache_mp_registered_workers",
        .gauge,
        unit: "workers",
        "Engine workers registered now."
    )
    static let activeSessions = MetricDescription(
        "lmcache_mp_active_sessions",
        .gauge,
        unit: "sessions",
        "Request sessions held now."
    )
    static let droppedReplies = MetricDescription(
        "lmcache_mp_dropped_replies_total",
        .counter,
        unit: "replies",
        "Replies that no longer had a client, or whose client did not read."
    )

    static let service: [MetricDescription] = [
        .timeouts, .kvEventsLogDepth, .eventBusQueueDepth, .eventBusDrainLag, .eventBusDropped,
        .eventBusSubscriberExceptions, .refusedRequests, .reapedWorkers, .unregisteredPings, .registeredWorkers,
        .activeSessions, .droppedReplies,
    ]
}
