// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = StorageSettings()

/// Flags of the pool in host memory (L1).
struct PoolOptions: ParsableArguments {
    @Option(
        name: .customLong("l1-size-gb"),
        help: ArgumentHelp("Size of the pool in GiB; required.", valueName: "gib"),
        transform: Accepted.number(above: SettingLimits.poolGiB)
    )
    var poolGiB: Double?

    @Option(
        name: .customLong("l1-manager"),
        parsing: .singleValue,
        help: ArgumentHelp("Refused: several tagged pools are not built.", valueName: "json")
    )
    var l1Managers: [String] = []

    @Flag(
        name: .customLong("l1-use-lazy"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "No effect: the pool always grows ahead of its use."
    )
    var growsLazily = defaults.growsLazily

    @Option(
        name: .customLong("l1-init-size-gb"),
        help: .given("No effect: the pool always grows ahead of its use.", "n", default: defaults.initialGiB),
        transform: Accepted.integer(SettingLimits.countOrZero)
    )
    var initialGiB = defaults.initialGiB

    @Option(
        name: .customLong("l1-align-bytes"),
        help: .given("Alignment of objects in the pool; a power of two.", "n", default: defaults.alignment),
        transform: Accepted.integer(SettingLimits.alignment)
    )
    var alignment = defaults.alignment

    @Flag(
        name: .customLong("l1-use-hugepages"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "Refused: huge pages are not built."
    )
    var usesHugePages = defaults.usesHugePages

    @Option(name: .customLong("l1-devdax-path"), help: "Refused: device-DAX is not built.")
    var devdaxPath: String?

    @Option(name: .customLong("gds-l1-path"), help: "Refused: GPUDirect Storage is not built.")
    var gdsPath: String?

    @Flag(
        name: .customLong("gds-l1-use-direct-io"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "No effect: GPUDirect Storage is not built."
    )
    var gdsUsesDirectIO = defaults.gdsUsesDirectIO

    @Option(
        name: .customLong("gds-l1-backend"),
        help: .given("No effect: GPUDirect Storage is not built.", "name", default: defaults.gdsBackend),
        transform: Accepted.choice(StorageSettings.gdsBackends)
    )
    var gdsBackend = defaults.gdsBackend

    @Option(
        name: .customLong("l1-write-ttl-seconds"),
        help: .given("Upper bound on a write reservation.", "n", default: defaults.writeTTLSeconds),
        transform: Accepted.integer(SettingLimits.lifetimeSeconds)
    )
    var writeTTLSeconds = defaults.writeTTLSeconds

    @Option(
        name: .customLong("l1-read-ttl-seconds"),
        help: .given("Upper bound on a read lease.", "n", default: defaults.readTTLSeconds),
        transform: Accepted.integer(SettingLimits.lifetimeSeconds)
    )
    var readTTLSeconds = defaults.readTTLSeconds

    func apply(to configuration: inout ServerConfiguration) {
        configuration.storage.poolGiB = self.poolGiB
        configuration.storage.l1Managers = self.l1Managers
        configuration.storage.growsLazily = self.growsLazily
        configuration.storage.initialGiB = self.initialGiB
        configuration.storage.alignment = self.alignment
        configuration.storage.usesHugePages = self.usesHugePages
        configuration.storage.devdaxPath = self.devdaxPath
        configuration.storage.gdsPath = self.gdsPath
        configuration.storage.gdsUsesDirectIO = self.gdsUsesDirectIO
        configuration.storage.gdsBackend = self.gdsBackend
        configuration.storage.writeTTLSeconds = self.writeTTLSeconds
        configuration.storage.readTTLSeconds = self.readTTLSeconds
    }
}
