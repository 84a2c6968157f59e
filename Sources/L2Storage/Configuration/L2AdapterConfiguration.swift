// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// One `--l2-adapter` value: what all adapters have in common, and the rest for the adapter itself.
///
/// Source: storage reference §4.2.
package struct L2AdapterConfiguration: Sendable {
    /// What evicts from an adapter with a capacity.
    package struct Eviction: Sendable, Equatable {
        package enum Policy: String, Sendable, CaseIterable {
            case leastRecentlyUsed = "LRU"
            case isolatedLeastRecentlyUsed = "IsolatedLRU"
            case none = "noop"
        }

        package var policy: Policy
        /// Used part of the capacity that starts an eviction.
        package var triggerWatermark: Double
        /// Part of the used bytes that one eviction removes.
        package var evictionRatio: Double

        package init(policy: Policy, triggerWatermark: Double, evictionRatio: Double) {
            self.policy = policy
            self.triggerWatermark = triggerWatermark
            self.evictionRatio = evictionRatio
        }
    }

    /// Whether something evicts from the adapter, which then has to know what it holds.
    package var evicts: Bool { self.eviction.map { $0.policy != .none } ?? false }

    package let type: String
    package let affinityTag: String
    /// A pool that several servers share.
    package let isShared: Bool
    package let isPersistEnabled: Bool
    package let eviction: Eviction?
    /// The adapter's own keys; whoever reads them calls ``L2Options/finish()``.
    package let options: L2Options

    /// The kinds that the original has and we do not.
    static let foreignTypes = [
        "aerospike", "bigtable", "dax", "hf3fs", "hfbucket", "mooncake_store", "native_plugin", "nixl_native",
        "nixl_store", "nixl_store_dynamic", "p2p", "plugin", "raw_block", "sagemaker-hyperpod",
    ]

    /// Reads the common keys.
    ///
    /// - Parameter types: The kinds that this server has.
    package init(_ value: JSONValue, types: [String]) throws(L2ConfigurationError) {
        var options = try L2Options(value, context: "--l2-adapter")
        let accepted = types.sorted().joined(separator: ", ")
        guard let type = try options.string("type") else {
            throw L2ConfigurationError("--l2-adapter: 'type' is missing; accepted: \(accepted)")
        }
        guard types.contains(type) else {
            let what = Self.foreignTypes.contains(type) ? "is not supported" : "is unknown"
            let hint = NearestWord.hint(for: type, among: types)
            throw L2ConfigurationError("--l2-adapter: type '\(type)' \(what)\(hint); accepted: \(accepted)")
        }
        options = options.renamed("--l2-adapter \(type)")
        self.type = type
        self.affinityTag = try options.string("affinity_tag") ?? "_default"
        self.isShared = try options.bool("shared") ?? false
        self.isPersistEnabled = try options.bool("persist_enabled") ?? true
        if var eviction = try options.object("eviction") {
            self.eviction = try Self.eviction(&eviction)
        } else {
            self.eviction = nil
        }
        if let serde = options.value("serde") { throw options.refusal("serde", serde, "null: it is not supported") }
        self.options = options
    }

    private static func eviction(_ options: inout L2Options) throws(L2ConfigurationError) -> Eviction {
        let accepted = Eviction.Policy.allCases.map(\.rawValue).joined(separator: ", ")
        guard let name = try options.string("eviction_policy") else {
            throw L2ConfigurationError("\(options.context): 'eviction_policy' is missing; accepted: \(accepted)")
        }
        guard let policy = Eviction.Policy(rawValue: name) else {
            throw options.refusal("eviction_policy", .string(name), "one of \(accepted)")
        }
        let watermark = try options.number("trigger_watermark", in: 0...1) ?? 0.8
        let ratio = try options.number("eviction_ratio", in: 0...1) ?? 0.2
        try options.finish()
        return Eviction(policy: policy, triggerWatermark: watermark, evictionRatio: ratio)
    }
}
