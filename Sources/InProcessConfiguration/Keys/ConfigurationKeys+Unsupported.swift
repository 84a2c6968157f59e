// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension ConfigurationKeys {
    private static let blending = ConfigurationKey.Use.unsupported("CacheBlend")
    private static let peers = ConfigurationKey.Use.unsupported("sharing between peers")
    private static let controller = ConfigurationKey.Use.unsupported("the controller")
    private static let disaggregation = ConfigurationKey.Use.unsupported("prefill and decode in separate engines")
    private static let nixl = ConfigurationKey.Use.unsupported("NIXL storage")
    private static let python = ConfigurationKey.Use.unsupported("code that is loaded into the cache")
    private static let remoteConfiguration = ConfigurationKey.Use.unsupported("configuration from a service")
    private static let backends = ConfigurationKey.Use.unsupported("a choice between backends")

    /// What is refused unless it is at its default.
    static let unsupported: [ConfigurationKey] = Self.features + Self.peerToPeer + Self.disaggregated

    private static let features: [ConfigurationKey] = [
        ConfigurationKey("save_unfull_chunk", .bool, false, .unsupported("chunks that are not full")),
        ConfigurationKey("local_cpu_use_hugepages", .bool, false, .unsupported("huge pages")),
        ConfigurationKey("reserve_local_cpu_size", .number(size), 0.0, .unsupported("a pool that leaves memory free")),
        ConfigurationKey("enable_blending", .bool, false, blending),
        ConfigurationKey("blend_recompute_ratios", .numbers, .null, blending),
        ConfigurationKey("blend_thresholds", .numbers, .null, blending),
        ConfigurationKey("blend_check_layers", .integers, .null, blending),
        ConfigurationKey("blend_min_tokens", .integer(count), 256, blending),
        ConfigurationKey("blend_special_str", .text, " # # ", blending),
        ConfigurationKey("retrieve_locations", .texts, .null, backends),
        ConfigurationKey("store_location", .text, .null, backends),
        ConfigurationKey("runtime_plugin_locations", .texts, .null, python),
        ConfigurationKey("storage_plugins", .texts, .null, python),
        ConfigurationKey("remote_storage_plugins", .texts, .null, python),
        ConfigurationKey("script_allowed_imports", .texts, .null, python),
        ConfigurationKey("run_script_api_enabled", .bool, false, python),
        ConfigurationKey("external_lookup_client", .text, .null, .unsupported("an external lookup service")),
        ConfigurationKey("internal_api_server_enabled", .bool, false, .unsupported("an HTTP server in the engine")),
        ConfigurationKey("enable_chunk_statistics", .bool, false, .unsupported("chunk statistics")),
        ConfigurationKey("enable_hidden_state_cache", .bool, false, .unsupported("hidden states")),
        ConfigurationKey("hit_miss_ratio", .number(0...1), .null, .unsupported("invented misses")),
        ConfigurationKey("gds_path", .text, .null, .unsupported("GPUDirect Storage")),
        ConfigurationKey("gds_buffer_size", .number(size), .null, .unsupported("GPUDirect Storage")),
        ConfigurationKey("maru_path", .text, .null, .unsupported("CXL memory")),
        ConfigurationKey("audit_actual_remote_url", .text, .null, .unsupported("the audit backend")),
        ConfigurationKey("remote_config_url", .text, .null, remoteConfiguration),
        ConfigurationKey("app_id", .text, .null, remoteConfiguration),
    ]

    private static let peerToPeer: [ConfigurationKey] = [
        ConfigurationKey("enable_p2p", .bool, false, peers),
        ConfigurationKey("p2p_host", .text, .null, peers),
        ConfigurationKey("p2p_init_ports", .integers, .null, peers),
        ConfigurationKey("p2p_lookup_ports", .integers, .null, peers),
        ConfigurationKey("transfer_channel", .text, .null, peers),
        ConfigurationKey("enable_controller", .bool, false, controller),
        ConfigurationKey("controller_pull_url", .text, .null, controller),
        ConfigurationKey("controller_reply_url", .text, .null, controller),
        ConfigurationKey("lmcache_worker_ports", .integers, .null, controller),
        ConfigurationKey("lmcache_worker_ids", .integers, .null, controller),
        ConfigurationKey("lmcache_worker_heartbeat_delay_time", .integer(count), 10, controller),
        ConfigurationKey("lmcache_worker_heartbeat_time", .integer(count), .null, controller),
    ]

    private static let disaggregated: [ConfigurationKey] = [
        ConfigurationKey("enable_pd", .bool, false, disaggregation),
        ConfigurationKey("pd_role", .text, .null, disaggregation),
        ConfigurationKey("pd_buffer_size", .integer(0...Int.max), .null, disaggregation),
        ConfigurationKey("pd_buffer_device", .text, .null, disaggregation),
        ConfigurationKey("pd_peer_host", .text, .null, disaggregation),
        ConfigurationKey("pd_peer_init_port", .integers, .null, disaggregation),
        ConfigurationKey("pd_peer_alloc_port", .integers, .null, disaggregation),
        ConfigurationKey("pd_peer_query_port", .integers, .null, disaggregation),
        ConfigurationKey("pd_proxy_host", .text, .null, disaggregation),
        ConfigurationKey("pd_proxy_port", .integer(port), .null, disaggregation),
        ConfigurationKey("pd_allocation_timeout_sec", .number(seconds), .null, disaggregation),
        ConfigurationKey("pd_shutdown_timeout_sec", .number(seconds), 5.0, disaggregation),
        ConfigurationKey("pd_condition_poll_interval_sec", .number(seconds), 0.005, disaggregation),
        ConfigurationKey("pd_max_prefill_len", .integer(count), 0, disaggregation),
        ConfigurationKey("pd_backend_mode", .text, "async", disaggregation),
        ConfigurationKey("pd_skip_proxy_notification", .bool, false, disaggregation),
        ConfigurationKey("pd_bidirectional", .bool, false, disaggregation),
        ConfigurationKey("nixl_backends", .texts, .null, nixl),
        ConfigurationKey("nixl_buffer_size", .integer(0...Int.max), .null, nixl),
        ConfigurationKey("nixl_buffer_device", .text, .null, nixl),
    ]
}
