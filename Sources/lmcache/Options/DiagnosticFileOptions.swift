// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = ObservabilitySettings()

/// Flags of lookup-hash files and of the garbage collector's monitor, all without effect.
struct DiagnosticFileOptions: ParsableArguments {
    @Option(name: .customLong("lookup-hash-log-dir"), help: "No effect: lookup-hash files are not built.")
    var lookupHashLogDirectory = defaults.lookupHashLogDirectory

    @Option(
        name: .customLong("lookup-hash-log-rotation-interval"),
        help: .given(
            "No effect: lookup-hash files are not built.",
            "n",
            default: defaults.lookupHashLogRotationSeconds
        ),
        transform: Accepted.integer(SettingLimits.count)
    )
    var rotationSeconds = defaults.lookupHashLogRotationSeconds

    @Option(
        name: .customLong("lookup-hash-log-rotation-max-size"),
        help: .given("No effect: lookup-hash files are not built.", "n", default: defaults.lookupHashLogRotationBytes),
        transform: Accepted.integer(SettingLimits.count)
    )
    var rotationBytes = defaults.lookupHashLogRotationBytes

    @Option(
        name: .customLong("lookup-hash-log-max-files"),
        help: .given("No effect: lookup-hash files are not built.", "n", default: defaults.lookupHashLogMaximumFiles),
        transform: Accepted.integer(SettingLimits.count)
    )
    var maximumFiles = defaults.lookupHashLogMaximumFiles

    @Flag(name: .customLong("enable-gc-monitor"), help: "No effect: there is no garbage collector.")
    var isGCMonitorEnabled = false

    @Option(
        name: .customLong("gc-monitor-min-pause-ms"),
        help: .given(
            "No effect: there is no garbage collector.",
            "x",
            default: defaults.gcMonitorMinimumPauseMilliseconds
        ),
        transform: Accepted.numberOrZero("a number not below 0")
    )
    var minimumPause = defaults.gcMonitorMinimumPauseMilliseconds

    @Option(
        name: .customLong("gc-monitor-top-objects"),
        help: .given("No effect: there is no garbage collector.", "n", default: defaults.gcMonitorTopObjects),
        transform: Accepted.integer(SettingLimits.countOrZero)
    )
    var topObjects = defaults.gcMonitorTopObjects

    func apply(to configuration: inout ServerConfiguration) {
        configuration.observability.lookupHashLogDirectory = self.lookupHashLogDirectory
        configuration.observability.lookupHashLogRotationSeconds = self.rotationSeconds
        configuration.observability.lookupHashLogRotationBytes = self.rotationBytes
        configuration.observability.lookupHashLogMaximumFiles = self.maximumFiles
        configuration.observability.isGCMonitorEnabled = self.isGCMonitorEnabled
        configuration.observability.gcMonitorMinimumPauseMilliseconds = self.minimumPause
        configuration.observability.gcMonitorTopObjects = self.topObjects
    }
}
