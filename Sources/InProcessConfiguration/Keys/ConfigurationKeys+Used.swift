// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension ConfigurationKeys {
    /// What the cache itself does.
    static let cache: [ConfigurationKey] = [
        ConfigurationKey("chunk_size", .integer(1...1_048_576), 256),
        ConfigurationKey("local_cpu", .bool, true),
        ConfigurationKey("max_local_cpu_size", .number(0.001...65_536), 5.0),
        ConfigurationKey("local_disk", .texts),
        ConfigurationKey("local_disk_path_sharding", .choice(["by_gpu"]), "by_gpu"),
        ConfigurationKey("max_local_disk_size", .number(0...1_000_000), 0.0),
        ConfigurationKey("remote_url", .text),
        ConfigurationKey("remote_serde", .choice(["naive"]), "naive"),
        ConfigurationKey("cache_policy", .choice(["LRU"]), "LRU"),
        ConfigurationKey(
            "pre_caching_hash_algorithm", .choice(["builtin", "blake3", "sha256_cbor"]),
            "builtin"),
        ConfigurationKey("pin_timeout_sec", .integer(1...31_536_000), 300),
        ConfigurationKey("extra_config", .object),
    ]

    /// What the engine's side does.
    static let connector: [ConfigurationKey] = [
        ConfigurationKey("use_layerwise", .bool, false),
        ConfigurationKey("save_decode_cache", .bool, false),
        ConfigurationKey("min_retrieve_tokens", .integer(count), 0),
        ConfigurationKey("priority_limit", .integer(Int(Int32.min)...Int(Int32.max))),
        ConfigurationKey("lookup_timeout_ms", .integer(positive), 3000),
        ConfigurationKey("enable_kv_events", .bool, false),
        ConfigurationKey("blocking_timeout_secs", .integer(positive), 10),
        ConfigurationKey("lmcache_instance_id", .text),
        ConfigurationKey("mp_host", .text),
        ConfigurationKey("mp_port", .integer(port), 5555),
    ]
}
