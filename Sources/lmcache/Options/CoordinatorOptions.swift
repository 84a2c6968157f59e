// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = CoordinatorSettings()

/// Flags of the fleet coordinator, which is not built.
///
/// Five of them fall back to an environment variable.
struct CoordinatorOptions: ParsableArguments {
    @Option(name: .customLong("coordinator-url"), help: "Refused: the fleet coordinator is not built.")
    var url: String?

    @Option(
        name: .customLong("coordinator-advertise-ip"),
        help: "No effect: the fleet coordinator is not built."
    )
    var advertiseIP: String?

    @Option(
        name: .customLong("coordinator-heartbeat-interval"),
        help: .given("No effect: the fleet coordinator is not built.", "x"),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var heartbeatInterval: Double?

    @Flag(
        name: .customLong("coordinator-event-reporting"),
        help: "Refused: the fleet coordinator is not built."
    )
    var isEventReportingEnabled = false

    @Flag(
        name: .customLong("coordinator-l2-event-reporting"),
        help: ArgumentHelp("Older name of --coordinator-event-reporting.", visibility: .hidden)
    )
    var isOldEventReportingEnabled = false

    @Option(
        name: .customLong("coordinator-event-flush-interval"),
        help: .given("No effect: the fleet coordinator is not built.", "x"),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var eventFlushInterval: Double?

    @Option(
        name: .customLong("coordinator-l2-event-flush-interval"),
        help: ArgumentHelp("Older name of --coordinator-event-flush-interval.", visibility: .hidden),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var oldEventFlushInterval: Double?

    @Option(name: .customLong("coordinator-event-transport"), help: "No effect; kafka is refused.")
    var eventTransport = defaults.eventTransport

    @Option(
        name: .customLong("coordinator-kafka-bootstrap-servers"),
        help: "Refused: the fleet coordinator is not built."
    )
    var kafkaBootstrapServers = defaults.kafkaBootstrapServers

    @Option(name: .customLong("coordinator-kafka-topic"), help: "No effect: the fleet coordinator is not built.")
    var kafkaTopic = defaults.kafkaTopic

    @Option(
        name: .customLong("coordinator-kafka-delivery-timeout"),
        help: .given("No effect: the fleet coordinator is not built.", "x", default: defaults.kafkaDeliveryTimeout),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var kafkaDeliveryTimeout = defaults.kafkaDeliveryTimeout

    @Option(
        name: .customLong("coordinator-blend-timeout"),
        help: .given("No effect: the fleet coordinator is not built.", "x", default: defaults.blendTimeout),
        transform: Accepted.number(above: SettingLimits.seconds)
    )
    var blendTimeout = defaults.blendTimeout

    @Option(
        name: .customLong("coordinator-blend-match-concurrency"),
        help: .given("No effect: the fleet coordinator is not built.", "n", default: defaults.blendMatchConcurrency),
        transform: Accepted.integer(SettingLimits.count)
    )
    var blendMatchConcurrency = defaults.blendMatchConcurrency

    func apply(
        to configuration: inout ServerConfiguration,
        environment: [String: String]
    ) throws(ConfigurationError) {
        let variables = CoordinatorEnvironment(values: environment)
        try variables.refuseURL(unless: self.url)
        if self.isOldEventReportingEnabled {
            throw ConfigurationError(
                setting: "--coordinator-l2-event-reporting",
                given: "true",
                accepted: "no event reporting",
                reason: "the fleet coordinator is not built"
            )
        }
        configuration.coordinator.url = self.url ?? ""
        configuration.coordinator.advertiseIP =
            self.advertiseIP ?? environment["LMCACHE_COORDINATOR_ADVERTISE_IP"] ?? ""
        configuration.coordinator.heartbeatInterval =
            try variables.seconds("LMCACHE_COORDINATOR_HEARTBEAT_INTERVAL", unless: self.heartbeatInterval)
            ?? defaults.heartbeatInterval
        configuration.coordinator.eventFlushInterval =
            try variables.seconds(
                "LMCACHE_COORDINATOR_EVENT_FLUSH_INTERVAL",
                unless: self.eventFlushInterval ?? self.oldEventFlushInterval
            ) ?? defaults.eventFlushInterval
        configuration.coordinator.isEventReportingEnabled = self.isEventReportingEnabled
        configuration.coordinator.eventTransport = self.eventTransport
        configuration.coordinator.kafkaBootstrapServers = self.kafkaBootstrapServers
        configuration.coordinator.kafkaTopic = self.kafkaTopic
        configuration.coordinator.kafkaDeliveryTimeout = self.kafkaDeliveryTimeout
        configuration.coordinator.blendTimeout = self.blendTimeout
        configuration.coordinator.blendMatchConcurrency = self.blendMatchConcurrency
    }
}

/// The environment variables that stand in for coordinator flags.
struct CoordinatorEnvironment {
    let values: [String: String]

    /// Throws when the environment alone turns the coordinator on.
    func refuseURL(unless flag: String?) throws(ConfigurationError) {
        let reason = "the fleet coordinator is not built"
        if flag == nil, let url = self.values["LMCACHE_COORDINATOR_URL"], !url.isEmpty {
            throw ConfigurationError(
                setting: "LMCACHE_COORDINATOR_URL",
                given: url,
                accepted: "an empty value",
                reason: reason
            )
        }
        let reporting = "LMCACHE_COORDINATOR_EVENT_REPORTING"
        if let given = self.values[reporting], ["1", "true", "yes"].contains(given.lowercased()) {
            throw ConfigurationError(setting: reporting, given: given, accepted: "an empty value", reason: reason)
        }
    }

    /// The flag's value, else a positive number of seconds; nil when neither is set.
    func seconds(_ name: String, unless flag: Double?) throws(ConfigurationError) -> Double? {
        if let flag { return flag }
        guard let given = self.values[name], !given.isEmpty else { return nil }
        guard let value = Double(given), value > 0, value <= SettingLimits.seconds.upperBound else {
            throw ConfigurationError(
                setting: name,
                given: given,
                accepted: SettingText.number(above: SettingLimits.seconds)
            )
        }
        return value
    }
}
