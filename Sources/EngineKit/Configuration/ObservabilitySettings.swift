// lmcache · SPDX-License-Identifier: Apache-2.0

/// Metrics, logs and traces (`observability` in `/config`).
package struct ObservabilitySettings: Hashable, Sendable {
    /// Levels of `--trace-level`.
    package enum TraceLevel: String, CaseIterable, Sendable {
        case storage, events
    }

    /// How log lines are written.
    package enum LogFormat: String, CaseIterable, Sendable {
        case text, json
    }

    package var isEnabled = true
    package var areMetricsEnabled = true
    package var areGRPCMetricsEnabled = true
    /// Detail lines at DEBUG level.
    package var isEventLoggingEnabled = true
    package var isTracingEnabled = false
    package var otlpEndpoint: String?
    package var eventQueueSize = 10_000
    package var prometheusPort = 9090
    package var metricsSampleRate = 0.01
    package var lookupHashLogDirectory = ""
    package var lookupHashLogRotationSeconds = 21_600
    package var lookupHashLogRotationBytes = 104_857_600
    package var lookupHashLogMaximumFiles = 100
    package var isGCMonitorEnabled = false
    package var gcMonitorMinimumPauseMilliseconds = 1.0
    package var gcMonitorTopObjects = 0
    package var isExtraLoggingEnabled = false
    package var extraLoggingInterval = 10.0
    package var traceLevel: TraceLevel?
    package var traceOutput: String?
    package var logFormat = LogFormat.text

    package init() {}
}
