// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = RequestServerSettings()

/// Flags of CacheBlend, plugins and experimental modules, none of which is built.
struct ExtensionOptions: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Refused: plugins are Python code.")
    var runtimePluginLocations: [String] = []

    @Option(help: "No effect: plugins are Python code.")
    var runtimePluginConfig = defaults.pluginConfiguration

    @Option(parsing: .upToNextOption, help: "No effect: scripts are Python code.")
    var scriptAllowedImports: [String] = []

    @Flag(
        name: .customLong("run-script-api-enabled"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "Refused: scripts are Python code."
    )
    var isRunScriptEnabled = defaults.isRunScriptEnabled

    @Flag(help: "No effect: CacheBlend is not built.")
    var enableSegmentedPrefix = false

    @Flag(help: "No effect: CacheBlend is not built.")
    var enableDedupContent = false

    @Flag(help: "No effect: CacheBlend is not built.")
    var enableBlendReorder = false

    @Option(
        name: .customLong("enable"),
        parsing: .upToNextOption,
        help: ArgumentHelp("Refused: experimental modules are not built.", valueName: "module")
    )
    var modules: [String] = []

    @Option(
        name: .customLong("server-module"),
        parsing: .singleValue,
        help: ArgumentHelp("Refused: server modules are Python code.", valueName: "json")
    )
    var serverModules: [String] = []

    func apply(to configuration: inout ServerConfiguration) {
        configuration.requests.pluginLocations = self.runtimePluginLocations
        configuration.requests.pluginConfiguration = self.runtimePluginConfig
        configuration.requests.scriptAllowedImports = self.scriptAllowedImports
        configuration.requests.isRunScriptEnabled = self.isRunScriptEnabled
        configuration.requests.isSegmentedPrefixEnabled = self.enableSegmentedPrefix
        configuration.requests.isContentDeduplicationEnabled = self.enableDedupContent
        configuration.requests.isBlendReorderEnabled = self.enableBlendReorder
        configuration.requests.enabledModules = self.modules
        configuration.requests.serverModules = self.serverModules
    }
}
