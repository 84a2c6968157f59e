// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension StorageSettings {
    func json(_ observability: ObservabilitySettings, sharedMemoryName: String) -> JSONValue {
        let eviction = self.evictionJSON(observability)
        let pool = self.poolJSON(eviction: eviction, sharedMemoryName: sharedMemoryName)
        return .object([
            ("l1_manager_config", pool),
            ("eviction_config", eviction),
            ("l2_adapter_config", .object([("adapters", AdapterSettings.json(self.l2Adapters))])),
            ("store_policy", .string(self.storePolicy.rawValue)),
            ("prefetch_policy", .string(self.prefetchPolicy.rawValue)),
            ("prefetch_timeout_seconds", .double(self.prefetchTimeoutSeconds)),
            ("prefetch_max_in_flight", .integer(self.prefetchMaximumInFlight)),
            ("periodic_notifier_interval_ms", .integer(self.notifierIntervalMilliseconds)),
            ("l1_manager_configs", .array([pool])),
        ])
    }

    private func evictionJSON(_ observability: ObservabilitySettings) -> JSONValue {
        .object([
            ("eviction_policy", .optional(self.evictionPolicy?.rawValue)),
            ("trigger_watermark", .double(self.evictionTriggerWatermark)),
            ("eviction_ratio", .double(self.evictionRatio)),
            ("extra_logging_enabled", .bool(observability.isExtraLoggingEnabled)),
            ("extra_logging_interval", .double(observability.extraLoggingInterval)),
        ])
    }

    private func poolJSON(eviction: JSONValue, sharedMemoryName: String) -> JSONValue {
        let bytes = self.poolBytes ?? 0
        return .object([
            (
                "memory_config",
                .object([
                    ("size_in_bytes", .integer(bytes)),
                    ("use_lazy", .bool(true)),
                    ("init_size_in_bytes", .integer(min(bytes, self.initialGiB * 1_073_741_824))),
                    ("align_bytes", .integer(self.alignment)),
                    ("shm_name", .string(sharedMemoryName)),
                    ("use_hugepages", .bool(self.usesHugePages)),
                    ("devdax_path", .optional(self.devdaxPath)),
                    ("devdax_size_in_bytes", .integer(0)),
                ])
            ),
            ("gds_l1_config", .null),
            ("write_ttl_seconds", .integer(self.writeTTLSeconds)),
            ("read_ttl_seconds", .integer(self.readTTLSeconds)),
            ("tag", .string("_default")),
            ("eviction", eviction),
        ])
    }
}
