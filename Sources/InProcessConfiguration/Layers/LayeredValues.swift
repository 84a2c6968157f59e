// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// The values of all keys, layer put upon layer.
struct LayeredValues {
    /// Every key has one.
    private(set) var values: [String: JSONValue]
    private(set) var notices: [String] = []
    /// Where a key was set last, for messages.
    private var sources: [String: String] = [:]

    init(_ layers: ConfigurationLayers) throws(InProcessConfigurationError) {
        self.values = ConfigurationKeys.byName.mapValues(\.standard)
        for (name, value) in layers.file { try self.take(name, value, from: layers.fileName, readsTexts: false) }
        for (name, text) in layers.environment { try self.take(variable: name, text) }
        for (name, value) in layers.overlay {
            let bare = name.hasPrefix("lmcache.") ? String(name.dropFirst(8)) : name
            try self.take(bare, value, from: "kv_connector_extra_config", readsTexts: true)
        }
        try self.checkUse()
    }

    private mutating func take(
        _ given: String, _ value: JSONValue, from source: String, readsTexts: Bool
    ) throws(InProcessConfigurationError) {
        let key = try self.key(given, source: source)
        var checked = value == .null ? key.standard : key.kind.checked(value)
        if checked == nil, readsTexts, case .string(let text) = value { checked = key.kind.read(text) }
        guard let checked else {
            throw InProcessConfigurationError(
                "\(source): '\(given)' is \(Self.short(value.serialized())), accepted is \(key.kind.accepted)")
        }
        self.values[key.name] = checked
        self.sources[key.name] = "\(source): '\(given)'"
    }

    private mutating func take(variable: String, _ text: String) throws(InProcessConfigurationError) {
        let name = "LMCACHE_" + variable.uppercased()
        guard ConfigurationKeys.byName[variable] != nil || ConfigurationKeys.renamed[variable] != nil else {
            return try self.checkForeign(variable: variable, name)
        }
        let key = try self.key(variable, source: "environment")
        guard let value = key.kind.read(text) else {
            throw InProcessConfigurationError(
                "\(name) is \(Self.short(JSONValue.string(text).serialized())), accepted is \(key.kind.accepted)")
        }
        self.values[key.name] = value
        self.sources[key.name] = name
    }

    /// Variables with our prefix that are no keys are somebody else's, unless one looks like a key.
    private mutating func checkForeign(variable: String, _ name: String) throws(InProcessConfigurationError) {
        guard !Self.foreign.contains(variable), !variable.hasPrefix("mp_") else { return }
        let hint = NearestWord.hint(for: variable, among: ConfigurationKeys.names)
        guard hint.isEmpty else {
            throw InProcessConfigurationError("\(name) is no key of the configuration: '\(variable)'\(hint)")
        }
    }

    /// Variables of other parts, of which some look like keys.
    private static let foreign: Set<String> = [
        "config_file", "library", "log_level", "log_format", "log_color", "server_url", "mq_timeout", "track_usage",
        "use_experimental", "force_skip_save", "device_backend", "cuda_driver", "static",
    ]

    private mutating func key(_ given: String, source: String) throws(InProcessConfigurationError) -> ConfigurationKey {
        if let key = ConfigurationKeys.byName[given] { return key }
        if let current = ConfigurationKeys.renamed[given], let key = ConfigurationKeys.byName[current] {
            self.notices.append("\(source): '\(given)' is an old name of '\(current)'")
            return key
        }
        let hint = NearestWord.hint(for: given, among: ConfigurationKeys.names)
        throw InProcessConfigurationError("\(source): unknown key '\(Self.short(given))'\(hint)")
    }

    /// Refuses or names what was set and is not done.
    private mutating func checkUse() throws(InProcessConfigurationError) {
        for key in ConfigurationKeys.all {
            guard let value = self.values[key.name], value != key.standard else { continue }
            let source = self.sources[key.name] ?? "'\(key.name)'"
            switch key.use {
            case .used: break
            case .ignored(let reason): self.notices.append("\(source) has no effect: \(reason)")
            case .unsupported(let what): throw InProcessConfigurationError("\(source) is not supported: \(what)")
            }
        }
    }

    private static func short(_ text: String) -> String { text.count > 120 ? text.prefix(120) + "…" : text }
}
