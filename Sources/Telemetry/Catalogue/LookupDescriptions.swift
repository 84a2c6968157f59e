// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics of lookups.
extension MetricDescription {
    private static let perModelAndSalt = ["cache_salt", "model_name"]

    static let lookupRequestedTokens = MetricDescription(
        "lmcache_mp_lookup_requested_tokens_total",
        .counter,
        unit: "tokens",
        labels: perModelAndSalt,
        "Tokens asked for by lookups, whole chunks only."
    )
    static let lookupHitTokens = MetricDescription(
        "lmcache_mp_lookup_hit_tokens_total",
        .counter,
        unit: "tokens",
        labels: perModelAndSalt,
        "Tokens of the unbroken prefix that lookups found."
    )
    static let lookupHitL1Tokens = MetricDescription(
        "lmcache_mp_lookup_hit_l1_tokens_total",
        .counter,
        unit: "tokens",
        labels: perModelAndSalt,
        "Found tokens that L1 could serve alone."
    )
    static let lookupHitL2Tokens = MetricDescription(
        "lmcache_mp_lookup_hit_l2_tokens_total",
        .counter,
        unit: "tokens",
        labels: perModelAndSalt,
        "Found tokens that came from L2."
    )
    static let lookupHitL1Keys = MetricDescription(
        "lmcache_mp_lookup_hit_l1_keys_total",
        .counter,
        unit: "keys",
        labels: perModelAndSalt,
        "Objects of found prefixes that L1 held."
    )
    static let lookupHitL2Keys = MetricDescription(
        "lmcache_mp_lookup_hit_l2_keys_total",
        .counter,
        unit: "keys",
        labels: perModelAndSalt,
        "Objects of found prefixes that were loaded from L2."
    )
    static let lookups = MetricDescription(
        "lmcache_mp_lookups_requests_total",
        .counter,
        unit: "requests",
        labels: perModelAndSalt,
        "Finished lookups, those that ended early included."
    )
    static let lookupEarlyExit = MetricDescription(
        "lmcache_mp_lookup_early_exit_requests_total",
        .counter,
        unit: "requests",
        labels: perModelAndSalt + ["reason"],
        "Lookups that ended before the cache was asked."
    )
    static let activePrefetchJobs = MetricDescription(
        "lmcache_mp_active_prefetch_jobs",
        .gauge,
        unit: "jobs",
        "Lookups whose result nobody has taken yet."
    )
    static let activeP2PLookupJobs = MetricDescription(
        "lmcache_mp_active_p2p_lookup_jobs",
        .gauge,
        unit: "jobs",
        "Running lookups in other servers."
    )
    static let realReuseGapSeconds = MetricDescription(
        "lmcache_mp_real_reuse_gap_seconds",
        .histogram,
        unit: "seconds",
        labels: ["cache_salt"],
        "Time between two reads of sampled chunks."
    )
    static let realReuseGapObjects = MetricDescription(
        "lmcache_mp_real_reuse_gap_objects",
        .histogram,
        unit: "objects",
        labels: ["cache_salt"],
        "Accesses under the same salt between two reads of sampled chunks."
    )

    static let lookup: [MetricDescription] = [
        .lookupRequestedTokens, .lookupHitTokens, .lookupHitL1Tokens, .lookupHitL2Tokens, .lookupHitL1Keys,
        .lookupHitL2Keys, .lookups, .lookupEarlyExit, .activePrefetchJobs, .activeP2PLookupJobs, .realReuseGapSeconds,
        .realReuseGapObjects,
    ]
}
