// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension ConfigurationKeys {
    private static let lazy = ConfigurationKey.Use.ignored("memory is always taken as it is needed")
    private static let statistics = ConfigurationKey.Use.ignored("there are no chunk statistics")
    private static let debugServer = ConfigurationKey.Use.ignored("there is no HTTP server in the engine's process")
    private static let hiddenStates = ConfigurationKey.Use.ignored("hidden states are not cached")
    private static let locks = ConfigurationKey.Use.ignored("leases end with their request")
    private static let disk = ConfigurationKey.Use.ignored("there is no GPUDirect Storage")
    private static let workers = ConfigurationKey.Use.ignored("every rank answers for itself")

    /// What makes no difference here.
    static let ignored: [ConfigurationKey] = [
        ConfigurationKey("py_enable_gc", .bool, true, .ignored("the cache has no Python objects")),
        ConfigurationKey("numa_mode", .choice(["auto", "manual"]), .null, .ignored("the kernel places the memory")),
        ConfigurationKey("enable_async_loading", .bool, false, .ignored("lookups never wait for loads")),
        ConfigurationKey("use_gpu_connector_v3", .bool, false, .ignored("there is one way to copy")),
        ConfigurationKey("use_gds", .bool, true, disk),
        ConfigurationKey("gds_backend", .text, "cufile", disk),
        ConfigurationKey("gds_path_sharding", .text, "by_gpu", disk),
        ConfigurationKey("maru_pool_size", .number(size), 4.0, .ignored("there is no CXL memory")),
        ConfigurationKey("pin_check_interval_sec", .integer(positive), 30, locks),
        ConfigurationKey("lookup_server_worker_ids", .integers, .null, workers),
        ConfigurationKey("enable_scheduler_bypass_lookup", .bool, false, workers),
        ConfigurationKey("enable_lazy_memory_allocator", .bool, false, lazy),
        ConfigurationKey("lazy_memory_initial_ratio", .number(0...1), 0.2, lazy),
        ConfigurationKey("lazy_memory_expand_trigger_ratio", .number(0...1), 0.5, lazy),
        ConfigurationKey("lazy_memory_step_ratio", .number(0...1), 0.1, lazy),
        ConfigurationKey("lazy_memory_safe_size", .number(size), 0.0, lazy),
        ConfigurationKey("chunk_statistics_auto_start_statistics", .bool, false, statistics),
        ConfigurationKey("chunk_statistics_auto_exit_timeout_hours", .number(0...1e9), 0.0, statistics),
        ConfigurationKey("chunk_statistics_auto_exit_target_unique_chunks", .integer(count), 0, statistics),
        ConfigurationKey("chunk_statistics_strategy", .text, "memory_bloom_filter", statistics),
        ConfigurationKey("internal_api_server_host", .text, "127.0.0.1", debugServer),
        ConfigurationKey("internal_api_server_port_start", .integer(port), 6999, debugServer),
        ConfigurationKey("internal_api_server_include_index_list", .integers, .null, debugServer),
        ConfigurationKey("internal_api_server_socket_path_prefix", .text, .null, debugServer),
        ConfigurationKey("max_hidden_state_cpu_size", .number(size), 2.0, hiddenStates),
        ConfigurationKey("hidden_state_layers", .integers, .null, hiddenStates),
        ConfigurationKey("hidden_states_retrieve_mode", .text, "prefix_strict", hiddenStates),
    ]
}
