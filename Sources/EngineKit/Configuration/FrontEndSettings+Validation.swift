// lmcache · SPDX-License-Identifier: Apache-2.0

extension ObservabilitySettings {
    func validate() throws(ConfigurationError) {
        let reason = "traces and OTLP are not built; metrics are served at /metrics"
        try SettingCheck.absent("--otlp-endpoint", self.otlpEndpoint, accepted: "no endpoint", reason: reason)
        try SettingCheck.require(
            !self.isTracingEnabled,
            "--enable-tracing",
            given: "true",
            accepted: "no tracing",
            reason: reason
        )
        try SettingCheck.absent(
            "--trace-level",
            self.traceLevel?.rawValue,
            accepted: "no trace",
            reason: "trace files are not built"
        )
        try SettingCheck.absent(
            "--trace-output",
            self.traceOutput,
            accepted: "no trace",
            reason: "trace files are not built"
        )
        try SettingCheck.range("--event-bus-queue-size", self.eventQueueSize, SettingLimits.count)
        try SettingCheck.range("--prometheus-port", self.prometheusPort, SettingLimits.port)
        try SettingCheck.above("--metrics-sample-rate", self.metricsSampleRate, SettingLimits.ratio)
        try SettingCheck.range(
            "--lookup-hash-log-rotation-interval",
            self.lookupHashLogRotationSeconds,
            SettingLimits.count
        )
        try SettingCheck.range(
            "--lookup-hash-log-rotation-max-size",
            self.lookupHashLogRotationBytes,
            SettingLimits.count
        )
        try SettingCheck.range("--lookup-hash-log-max-files", self.lookupHashLogMaximumFiles, SettingLimits.count)
        try SettingCheck.require(
            self.gcMonitorMinimumPauseMilliseconds.isFinite && self.gcMonitorMinimumPauseMilliseconds >= 0,
            "--gc-monitor-min-pause-ms",
            given: self.gcMonitorMinimumPauseMilliseconds,
            accepted: "a number not below 0"
        )
        try SettingCheck.range("--gc-monitor-top-objects", self.gcMonitorTopObjects, SettingLimits.countOrZero)
        try SettingCheck.above("--extra-logging-interval", self.extraLoggingInterval, SettingLimits.seconds)
        try SettingCheck.require(
            self.isEnabled || !self.isExtraLoggingEnabled,
            "--enable-extra-logging",
            given: "true",
            accepted: "no extra logging together with '--disable-observability'"
        )
    }
}

extension CoordinatorSettings {
    func validate() throws(ConfigurationError) {
        let reason = "the fleet coordinator is not built"
        try SettingCheck.absent("--coordinator-url", self.url, accepted: "an empty value", reason: reason)
        try SettingCheck.require(
            !self.isEventReportingEnabled,
            "--coordinator-event-reporting",
            given: "true",
            accepted: "no event reporting",
            reason: reason
        )
        try SettingCheck.require(
            self.eventTransport == .http,
            "--coordinator-event-transport",
            given: self.eventTransport.rawValue,
            accepted: "http",
            reason: reason
        )
        try SettingCheck.absent(
            "--coordinator-kafka-bootstrap-servers",
            self.kafkaBootstrapServers,
            accepted: "an empty value",
            reason: reason
        )
        for (setting, value) in [
            ("--coordinator-heartbeat-interval", self.heartbeatInterval),
            ("--coordinator-event-flush-interval", self.eventFlushInterval),
            ("--coordinator-kafka-delivery-timeout", self.kafkaDeliveryTimeout),
            ("--coordinator-blend-timeout", self.blendTimeout),
        ] {
            try SettingCheck.above(setting, value, SettingLimits.seconds)
        }
        try SettingCheck.range(
            "--coordinator-blend-match-concurrency",
            self.blendMatchConcurrency,
            SettingLimits.count
        )
    }
}
