// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

/// The keys of `resp` and `valkey`.
///
/// Source: storage reference §4.5 and §4.6. Of the original's, `resp` has `host`, `port`, `num_workers`, `username`,
/// `password` and `max_capacity_gb`; ours takes those of `valkey` there too, and `tls_*` for both.
package struct RESPConfiguration: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case resp
        case valkey
    }

    /// How the connection is secured.
    package struct Security: Sendable, Equatable {
        /// A file of certificates that may sign the server's; nil for those that the system trusts.
        package var authorityFile: String?
        package var certificateFile: String?
        package var keyFile: String?
        /// Whether the server's certificate must be valid and in its name.
        package var verifiesServer = true

        package init() {}
    }

    package var kind: Kind
    /// Servers to begin with. At least one; several only with a cluster.
    package var endpoints: [RESPEndpoint]
    package var isCluster = false
    /// Connections, and threads that use them.
    package var workers = 8
    package var username = ""
    package var password = ""
    /// Stands before every key, with an `@`; empty for none.
    package var keyPrefix = ""
    package var database = 0
    package var security: Security?
    package var requestMilliseconds = 5000
    package var connectMilliseconds = 10_000
    package var capacityBytes: Int?
    /// Whether what the servers held before is counted: where a capacity or quotas need it.
    package var countsUsage = false
    /// After how long an object vanishes by itself; nil for never.
    package var lifetimeMilliseconds: Int?

    package init(kind: Kind = .resp, endpoints: [RESPEndpoint]) {
        precondition(!endpoints.isEmpty, "at least one server")
        self.kind = kind
        self.endpoints = endpoints
    }

    /// - Parameter environment: Where user and password are looked for when the configuration has none.
    /// - Throws: Names the key, what was given and what is accepted.
    package init(
        _ configuration: L2AdapterConfiguration, environment: [String: String]
    ) throws(L2ConfigurationError) {
        var options = configuration.options
        guard let kind = Kind(rawValue: configuration.type) else {
            throw L2ConfigurationError("type '\(configuration.type)' is no Redis")
        }
        self.init(
            kind: kind,
            endpoints: kind == .resp ? [try Self.endpoint(&options)] : try Self.startupNodes(&options))
        self.isCluster = try options.bool("cluster_mode") ?? false
        self.workers = try options.integer("num_workers", in: 1...1024) ?? 8
        self.username = try Self.secret("username", "LMCACHE_RESP_USERNAME", &options, environment)
        self.password = try Self.secret("password", "LMCACHE_RESP_PASSWORD", &options, environment)
        self.keyPrefix = try options.string("key_prefix") ?? ""
        self.database = try options.integer("database_id", in: 0...65_535) ?? 0
        self.requestMilliseconds = try Self.seconds("request_timeout", &options) ?? 5000
        self.connectMilliseconds = try Self.seconds("connection_timeout", &options) ?? 10_000
        self.capacityBytes = try options.gigabytes("max_capacity_gb").flatMap { $0 > 0 ? $0 : nil }
        self.countsUsage = self.capacityBytes != nil || configuration.evicts
        let lifetime = try options.number("ttl_seconds", in: 0...1_000_000_000) ?? 0
        self.lifetimeMilliseconds = lifetime > 0 ? max(1, Int(lifetime * 1000)) : nil
        self.security = try Self.security(&options)
        try options.finish()
        try self.check(options.context)
    }

    private func check(_ context: String) throws(L2ConfigurationError) {
        if self.endpoints.count > 1, !self.isCluster {
            throw L2ConfigurationError(
                "\(context): 'startup_nodes' names \(self.endpoints.count) servers, accepted is one without cluster_mode"
            )
        }
        if self.isCluster, self.database != 0 {
            throw L2ConfigurationError(
                "\(context): 'database_id' is \(self.database), accepted is 0 with cluster_mode: clusters have no other"
            )
        }
        if !self.username.isEmpty, self.password.isEmpty {
            throw L2ConfigurationError("\(context): 'username' needs a 'password'")
        }
        if self.keyPrefix.utf8.contains(UInt8(ascii: "@")) {
            throw L2ConfigurationError("\(context): 'key_prefix' is '\(self.keyPrefix)', accepted is one without '@'")
        }
    }

    private static func endpoint(_ options: inout L2Options) throws(L2ConfigurationError) -> RESPEndpoint {
        guard let host = try options.string("host"), !host.isEmpty, !host.utf8.contains(0) else {
            throw L2ConfigurationError("\(options.context): 'host' is missing; accepted is a name or an address")
        }
        guard let port = try options.integer("port", in: 1...65_535) else {
            throw L2ConfigurationError("\(options.context): 'port' is missing; accepted is a number from 1 to 65535")
        }
        return RESPEndpoint(host: host, port: UInt16(clamping: port))
    }

    private static func startupNodes(_ options: inout L2Options) throws(L2ConfigurationError) -> [RESPEndpoint] {
        let accepted = "accepted is host:port, several separated by commas"
        guard let text = try options.string("startup_nodes") else {
            throw L2ConfigurationError("\(options.context): 'startup_nodes' is missing; \(accepted)")
        }
        var endpoints: [RESPEndpoint] = []
        for part in text.split(separator: ",") {
            guard let endpoint = RESPEndpoint(String(part.filter { $0 != " " })) else {
                throw L2ConfigurationError("\(options.context): 'startup_nodes' has '\(part)', \(accepted)")
            }
            endpoints.append(endpoint)
        }
        guard !endpoints.isEmpty else {
            throw L2ConfigurationError("\(options.context): 'startup_nodes' is empty; \(accepted)")
        }
        return endpoints
    }

    private static func secret(
        _ name: String, _ variable: String, _ options: inout L2Options, _ environment: [String: String]
    ) throws(L2ConfigurationError) -> String {
        let given = try options.string(name) ?? ""
        return given.isEmpty ? environment[variable] ?? "" : given
    }

    private static func seconds(_ name: String, _ options: inout L2Options) throws(L2ConfigurationError) -> Int? {
        try options.number(name, in: 0.001...86_400).map { Int($0 * 1000) }
    }

    private static func security(_ options: inout L2Options) throws(L2ConfigurationError) -> Security? {
        let isOn = try options.bool("tls_enable") ?? false
        var security = Security()
        security.authorityFile = try options.string("tls_ca_file")
        security.certificateFile = try options.string("tls_cert_file")
        security.keyFile = try options.string("tls_key_file")
        security.verifiesServer = try options.bool("tls_verify") ?? true
        if !isOn, security != Security() {
            throw L2ConfigurationError("\(options.context): tls_ca_file and its like need tls_enable")
        }
        if (security.certificateFile == nil) != (security.keyFile == nil) {
            throw L2ConfigurationError("\(options.context): tls_cert_file and tls_key_file need each other")
        }
        return isOn ? security : nil
    }
}
