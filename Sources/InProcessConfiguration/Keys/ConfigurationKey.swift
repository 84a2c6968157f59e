// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// One key of LMCache 0.5.6's in-process configuration (server surface §4.2).
struct ConfigurationKey: Sendable {
    /// What becomes of a value.
    enum Use: Sendable, Equatable {
        /// The cache, or the engine's connector, does what it says.
        case used
        /// Makes no difference here; the reason is logged when it is not at its default.
        case ignored(String)
        /// Refused unless at its default; the reason follows "not supported: ".
        case unsupported(String)
    }

    let name: String
    let kind: KeyKind
    let standard: JSONValue
    let use: Use

    init(_ name: String, _ kind: KeyKind, _ standard: JSONValue = .null, _ use: Use = .used) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.use = use
    }
}

/// All keys.
enum ConfigurationKeys {
    static let all: [ConfigurationKey] = Self.cache + Self.connector + Self.ignored + Self.unsupported

    static let byName: [String: ConfigurationKey] = .init(
        Self.all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    static let names: [String] = Self.all.map(\.name).sorted()

    /// Old names and what they are called now.
    static let renamed: [String: String] = [
        "plugin_locations": "runtime_plugin_locations",
        "external_backends": "storage_plugins",
        "enable_xpyd": "enable_pd",
        "nixl_peer_host": "pd_peer_host",
        "nixl_peer_init_port": "pd_peer_init_port",
        "nixl_peer_alloc_port": "pd_peer_alloc_port",
        "nixl_proxy_host": "pd_proxy_host",
        "nixl_proxy_port": "pd_proxy_port",
        "nixl_role": "pd_role",
        "controller_url": "controller_pull_url",
        "lmcache_worker_port": "lmcache_worker_ports",
        "hash_algorithm": "pre_caching_hash_algorithm",
    ]

    static let count = 0...Int(Int32.max)
    static let positive = 1...Int(Int32.max)
    static let size = 0.0...65_536.0
    static let seconds = 0.0...31_536_000.0
    static let port = 0...65_535
}
