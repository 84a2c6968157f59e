// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = ObservabilitySettings()

/// Flags of metrics and logs.
struct ObservabilityOptions: ParsableArguments {
    @Option(help: "Shape of log lines.")
    var logFormat = defaults.logFormat

    @Flag(help: "Neither metrics nor detail lines in the log.")
    var disableObservability = false

    @Flag(help: "No metrics.")
    var disableMetrics = false

    @Flag(name: .customLong("disable-grpc-metrics"), help: "No effect: gRPC is not built.")
    var disableGRPCMetrics = false

    @Flag(help: "No detail lines (DEBUG) in the log.")
    var disableLogging = false

    @Flag(help: "Refused: traces are not built.")
    var enableTracing = false

    @Option(help: "Refused: metrics are served at /metrics.")
    var otlpEndpoint: String?

    @Option(
        help: .given("No effect: events are counted where they happen.", "n", default: defaults.eventQueueSize),
        transform: Accepted.integer(SettingLimits.count)
    )
    var eventBusQueueSize = defaults.eventQueueSize

    @Option(
        help: .given("No effect: metrics are on the HTTP port.", "n", default: defaults.prometheusPort),
        transform: Accepted.integer(SettingLimits.port)
    )
    var prometheusPort = defaults.prometheusPort

    @Option(
        help: .given("Share of chunks that lifecycle histograms follow.", "x", default: defaults.metricsSampleRate),
        transform: Accepted.number(above: SettingLimits.ratio)
    )
    var metricsSampleRate = defaults.metricsSampleRate

    @Flag(help: "Periodic log lines about transfers and the pool.")
    var enableExtraLogging = false

    @Option(
        help: .given("Seconds between those lines.", "x", default: defaults.extraLoggingInterval),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var extraLoggingInterval = defaults.extraLoggingInterval

    @Option(help: "Refused: trace files are not built.")
    var traceLevel: ObservabilitySettings.TraceLevel?

    @Option(help: "Refused: trace files are not built.")
    var traceOutput: String?

    func apply(to configuration: inout ServerConfiguration) {
        configuration.observability.logFormat = self.logFormat
        configuration.observability.isEnabled = !self.disableObservability
        configuration.observability.areMetricsEnabled = !self.disableMetrics && !self.disableObservability
        configuration.observability.areGRPCMetricsEnabled = !self.disableGRPCMetrics
        configuration.observability.isEventLoggingEnabled = !self.disableLogging && !self.disableObservability
        configuration.observability.isTracingEnabled = self.enableTracing
        configuration.observability.otlpEndpoint = self.otlpEndpoint
        configuration.observability.eventQueueSize = self.eventBusQueueSize
        configuration.observability.prometheusPort = self.prometheusPort
        configuration.observability.metricsSampleRate = self.metricsSampleRate
        configuration.observability.isExtraLoggingEnabled = self.enableExtraLogging
        configuration.observability.extraLoggingInterval = self.extraLoggingInterval
        configuration.observability.traceLevel = self.traceLevel
        configuration.observability.traceOutput = self.traceOutput
    }
}
