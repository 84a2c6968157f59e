// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

extension ServerConfiguration {
    /// The tree that `/config` shows; field names and order as LMCache 0.5.6 has them.
    package var json: JSONValue {
        .object([
            ("mp", self.requests.json),
            (
                "storage_manager",
                self.storage.json(self.observability, sharedMemoryName: self.requests.sharedMemoryName)
            ),
            ("observability", self.observability.json(instanceID: self.requests.instanceID)),
            (
                "http",
                .object([
                    ("http_host", .string(self.http.host)), ("http_port", .integer(self.http.port)),
                ])
            ),
            ("coordinator", self.coordinator.json),
        ])
    }
}

extension RequestServerSettings {
    var json: JSONValue {
        .object([
            ("transport", .string(self.transport.rawValue)),
            ("host", .string(self.host)),
            ("port", .integer(self.port)),
            ("chunk_size", .integer(self.chunkSize)),
            ("max_workers", .integer(self.maxWorkers)),
            ("max_gpu_workers", .integer(self.maxGPUWorkers ?? self.maxWorkers)),
            ("max_cpu_workers", .integer(self.maxCPUWorkers ?? self.maxWorkers)),
            ("grpc_server_workers", .integer(self.grpcServerWorkers)),
            ("hash_algorithm", .string(self.hashAlgorithm)),
            ("engine_type", .string(self.engineType.rawValue)),
            ("separate_object_groups", .bool(self.separatesObjectGroups)),
            ("enable_segmented_prefix", .bool(self.isSegmentedPrefixEnabled)),
            ("enable_dedup_content", .bool(self.isContentDeduplicationEnabled)),
            ("enable_blend_reorder", .bool(self.isBlendReorderEnabled)),
            ("supported_transfer_mode", .string(self.supportedTransferMode.rawValue)),
            ("isolated_ipc", .bool(self.isIsolatedIPC)),
            (
                "runtime_plugin_config",
                .object([
                    ("locations", .strings(self.pluginLocations)), ("extra_config", .object([])),
                ])
            ),
            ("p2p_config", self.peerToPeer.json),
            ("shm_name", .string(self.sharedMemoryName)),
            ("script_allowed_imports", .strings(self.scriptAllowedImports)),
            ("run_script_api_enabled", .bool(self.isRunScriptEnabled)),
            ("instance_id", .optional(self.instanceID)),
            ("worker_reap_timeout_seconds", .double(self.workerReapTimeoutSeconds)),
            ("session_ttl_seconds", .double(self.sessionTTLSeconds)),
            ("worker_registration_grace_seconds", .double(self.workerRegistrationGraceSeconds)),
            ("enable", .strings(self.enabledModules)),
            ("kv_event_log_size", .integer(self.eventLogSize)),
            ("null_block_id", .integer(self.nullBlockID)),
            ("server_modules", .strings(self.serverModules)),
            ("bind", .strings(self.additionalEndpoints.map(\.description))),
        ])
    }
}

extension PeerToPeerSettings {
    var json: JSONValue {
        .object([
            ("advertise_url", .string(self.advertiseURL)),
            ("listen_url", .string(self.listenURL)),
            ("lookup_timeout", .double(self.lookupTimeout)),
            ("load_timeout", .double(self.loadTimeout)),
            ("transfer_engine", .string(self.transferEngine)),
        ])
    }
}

extension JSONValue {
    static func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

    static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
}
