// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
package import Telemetry

/// The configuration of a cache inside an engine's process, with every default filled in.
///
/// What documents look like: `lmcache.h`. Keys and defaults: LMCache 0.5.6 (server surface §4).
package struct InProcessConfiguration: Sendable {
    private let values: [String: JSONValue]
    /// Lines for the host's log: old names, keys without effect.
    package let notices: [String]
    /// One `--l2-adapter` text for each second tier.
    package let adapters: [String]
    /// The same, checked.
    package let plans: [AdapterPlan]
    let usesOnlySecondTier: Bool

    /// Resolves a document.
    package init(document: String) throws(InProcessConfigurationError) {
        let layers = try ConfigurationLayers(document: document)
        let layered = try LayeredValues(layers)
        var notices = layered.notices
        self.values = layered.values
        let tiers = SecondTierAdapters(values: layered.values, rank: layers.rank)
        self.adapters = try tiers.texts()
        self.plans = try Self.plans(self.adapters)
        if case .bool(false)? = layered.values["local_cpu"] {
            guard !self.adapters.isEmpty else {
                throw InProcessConfigurationError(
                    "'local_cpu' is false and neither 'local_disk' nor 'remote_url' is set: nothing could be cached")
            }
            self.usesOnlySecondTier = true
        } else {
            self.usesOnlySecondTier = false
        }
        if case .string("builtin")? = layered.values["pre_caching_hash_algorithm"], !self.adapters.isEmpty {
            notices.append(
                "'pre_caching_hash_algorithm' builtin is answered with blake3, which needs no PYTHONHASHSEED")
        }
        self.notices = notices
    }

    private static func plans(_ adapters: [String]) throws(InProcessConfigurationError) -> [AdapterPlan] {
        do {
            return try AdapterSettings.plans(adapters)
        } catch {
            throw InProcessConfigurationError("'local_disk' or 'remote_url': \(error.reason ?? error.description)")
        }
    }

    /// What `lmcache_configuration_resolve` gives: all keys in alphabetical order, and `notices`.
    package var json: JSONValue {
        let keys = ConfigurationKeys.names.map { ($0, self.values[$0] ?? .null) }
        return .object(keys + [("notices", .array(self.notices.map { .string($0) }))])
    }

    func integer(_ name: String) -> Int? {
        if case .integer(let number)? = self.values[name] { number } else { nil }
    }

    func number(_ name: String) -> Double? {
        if case .double(let number)? = self.values[name] { number } else { nil }
    }

    func text(_ name: String) -> String? {
        if case .string(let text)? = self.values[name] { text } else { nil }
    }
}
