// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = StorageSettings()

/// Flags of eviction and of the storage behind the pool (L2).
struct EvictionOptions: ParsableArguments {
    @Option(
        help: "What leaves a full pool first: LRU, or noop for nothing; required. ARC and IsolatedLRU are not built."
    )
    var evictionPolicy: StorageSettings.EvictionPolicy?

    @Option(
        help: .given(
            "Used share of the pool at which background eviction starts.",
            "x",
            default: defaults.evictionTriggerWatermark
        ),
        transform: Accepted.number(above: SettingLimits.ratio)
    )
    var evictionTriggerWatermark = defaults.evictionTriggerWatermark

    @Option(
        help: .given("Share of the used bytes that one round frees.", "x", default: defaults.evictionRatio),
        transform: Accepted.number(above: SettingLimits.ratio)
    )
    var evictionRatio = defaults.evictionRatio

    @Option(
        name: .customLong("l2-adapter"),
        parsing: .singleValue,
        help: ArgumentHelp(
            "Storage behind the pool, repeatable: a JSON object with 'type' and that type's keys.", valueName: "json")
    )
    var l2Adapters: [String] = []

    @Option(
        name: .customLong("l2-store-policy"),
        help: "default keeps what L2 has in the pool, too; skip_l1 drops it there.")
    var storePolicy = defaults.storePolicy

    @Option(
        name: .customLong("l2-prefetch-policy"),
        help: "default drops what came from L2 after its reader; retain keeps it.")
    var prefetchPolicy = defaults.prefetchPolicy

    @Option(
        name: .customLong("l2-prefetch-max-in-flight"),
        help: .given("Lookups that ask L2 at once; the others wait.", "n", default: defaults.prefetchMaximumInFlight),
        transform: Accepted.integer(SettingLimits.count)
    )
    var prefetchMaximumInFlight = defaults.prefetchMaximumInFlight

    @Option(
        name: .customLong("l2-prefetch-timeout"),
        help: .given(
            "Longest time in seconds that a lookup waits for L2.", "x", default: defaults.prefetchTimeoutSeconds),
        transform: Accepted.number(above: SettingLimits.prefetchSeconds)
    )
    var prefetchTimeoutSeconds = defaults.prefetchTimeoutSeconds

    @Option(
        name: .customLong("periodic-notifier-interval-ms"),
        help: .given("No effect: nothing here polls.", "n", default: defaults.notifierIntervalMilliseconds),
        transform: Accepted.integer(SettingLimits.count)
    )
    var notifierIntervalMilliseconds = defaults.notifierIntervalMilliseconds

    func apply(to configuration: inout ServerConfiguration) {
        configuration.storage.evictionPolicy = self.evictionPolicy
        configuration.storage.evictionTriggerWatermark = self.evictionTriggerWatermark
        configuration.storage.evictionRatio = self.evictionRatio
        configuration.storage.l2Adapters = self.l2Adapters
        configuration.storage.storePolicy = self.storePolicy
        configuration.storage.prefetchPolicy = self.prefetchPolicy
        configuration.storage.prefetchMaximumInFlight = self.prefetchMaximumInFlight
        configuration.storage.prefetchTimeoutSeconds = self.prefetchTimeoutSeconds
        configuration.storage.notifierIntervalMilliseconds = self.notifierIntervalMilliseconds
    }
}
