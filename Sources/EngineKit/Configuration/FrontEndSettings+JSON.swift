// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension ObservabilitySettings {
    func json(instanceID: String?) -> JSONValue {
        .object([
            ("enabled", .bool(self.isEnabled)),
            ("max_queue_size", .integer(self.eventQueueSize)),
            ("metrics_enabled", .bool(self.areMetricsEnabled)),
            ("grpc_metrics_enabled", .bool(false)),
            ("logging_enabled", .bool(self.isEventLoggingEnabled)),
            ("tracing_enabled", .bool(self.isTracingEnabled)),
            ("otlp_endpoint", .optional(self.otlpEndpoint)),
            ("prometheus_port", .integer(self.prometheusPort)),
            ("metrics_sample_rate", .double(self.metricsSampleRate)),
            (
                "lookup_hash_log",
                .object([
                    ("output_dir", .string(self.lookupHashLogDirectory)),
                    ("rotation_interval_sec", .integer(self.lookupHashLogRotationSeconds)),
                    ("rotation_max_size", .integer(self.lookupHashLogRotationBytes)),
                    ("max_files", .integer(self.lookupHashLogMaximumFiles)),
                ])
            ),
            (
                "gc_monitor",
                .object([
                    ("enabled", .bool(self.isGCMonitorEnabled)),
                    ("min_pause_ms", .double(self.gcMonitorMinimumPauseMilliseconds)),
                    ("top_objects", .integer(self.gcMonitorTopObjects)),
                ])
            ),
            ("extra_logging_enabled", .bool(self.isExtraLoggingEnabled)),
            ("extra_logging_interval", .double(self.extraLoggingInterval)),
            ("trace_level", .optional(self.traceLevel?.rawValue)),
            ("trace_output", .optional(self.traceOutput)),
            ("service_instance_id", .optional(instanceID)),
            ("log_format", .string(self.logFormat.rawValue)),
        ])
    }
}

extension CoordinatorSettings {
    var json: JSONValue {
        .object([
            ("url", .string(self.url)),
            ("advertise_ip", .string(self.advertiseIP)),
            ("heartbeat_interval", .double(self.heartbeatInterval)),
            ("event_reporting", .bool(self.isEventReportingEnabled)),
            ("event_flush_interval", .double(self.eventFlushInterval)),
            ("event_sink_config", .object([])),
            ("blend_timeout", .double(self.blendTimeout)),
            ("blend_match_concurrency", .integer(self.blendMatchConcurrency)),
        ])
    }
}
