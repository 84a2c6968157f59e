// lmcache · SPDX-License-Identifier: Apache-2.0

import L2RESP
import L2Storage
import Telemetry
import Testing

@Suite struct RESPConfigurationTests {
    private static func read(
        _ members: [(String, JSONValue)], environment: [String: String] = [:]
    ) throws -> RESPConfiguration {
        let common = try L2AdapterConfiguration(.object(members), types: RESPAdapter.types)
        return try RESPConfiguration(common, environment: environment)
    }

    private static func refusal(_ members: [(String, JSONValue)]) -> String {
        do {
            _ = try Self.read(members)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    private static let resp: [(String, JSONValue)] = [
        ("type", "resp"), ("host", "cache.example"), ("port", .integer(6379)),
    ]

    @Test func theOriginalsKeysHaveItsDefaults() throws {
        let found = try Self.read(Self.resp)
        var expected = RESPConfiguration(endpoints: [RESPEndpoint(host: "cache.example", port: 6379)])
        expected.workers = 8
        #expect(found == expected)
        #expect(found.capacityBytes == nil)
        #expect(found.security == nil)
    }

    @Test func everyKeyIsRead() throws {
        let found = try Self.read([
            ("type", "valkey"), ("startup_nodes", "a:1, [::1]:2"), ("cluster_mode", .bool(true)),
            ("num_workers", .integer(3)), ("username", "u"), ("password", "p"), ("key_prefix", "k"),
            ("request_timeout", .double(1.5)), ("connection_timeout", .integer(2)), ("ttl_seconds", .integer(60)),
            ("max_capacity_gb", .double(0.5)), ("tls_enable", .bool(true)), ("tls_ca_file", "ca"),
            ("tls_cert_file", "c"), ("tls_key_file", "k"), ("tls_verify", .bool(false)), ("database_id", .integer(0)),
        ])
        #expect(found.endpoints == [RESPEndpoint(host: "a", port: 1), RESPEndpoint(host: "::1", port: 2)])
        #expect(found.isCluster && found.workers == 3 && found.username == "u" && found.password == "p")
        #expect(found.keyPrefix == "k" && found.requestMilliseconds == 1500 && found.connectMilliseconds == 2000)
        #expect(found.lifetimeMilliseconds == 60_000 && found.capacityBytes == 1 << 29)
        #expect(found.security?.authorityFile == "ca" && found.security?.verifiesServer == false)
    }

    @Test func userAndPasswordComeFromTheEnvironmentWhereTheConfigurationHasNone() throws {
        let environment = ["LMCACHE_RESP_USERNAME": "me", "LMCACHE_RESP_PASSWORD": "mine"]
        let found = try Self.read(Self.resp + [("username", "")], environment: environment)
        #expect(found.username == "me" && found.password == "mine")
        let given = try Self.read(Self.resp + [("password", "other")], environment: environment)
        #expect(given.password == "other")
    }

    @Test func whatIsNotAcceptedIsNamed() {
        let rest = Self.resp
        #expect(Self.refusal([("type", "resp"), ("port", .integer(1))]).contains("'host' is missing"))
        #expect(Self.refusal([("type", "resp"), ("host", "a")]).contains("'port' is missing"))
        #expect(Self.refusal([("type", "resp"), ("host", "a"), ("port", .integer(0))]).contains("'port' is 0"))
        #expect(Self.refusal(rest + [("num_wrokers", .integer(1))]).contains("did you mean 'num_workers'?"))
        #expect(Self.refusal(rest + [("num_workers", .integer(0))]).contains("from 1 to 1024"))
        #expect(Self.refusal(rest + [("username", "a")]).contains("needs a 'password'"))
        #expect(Self.refusal(rest + [("key_prefix", "a@b")]).contains("without '@'"))
        #expect(Self.refusal(rest + [("tls_ca_file", "a")]).contains("need tls_enable"))
        #expect(
            Self.refusal(rest + [("tls_enable", .bool(true)), ("tls_key_file", "a")]).contains("need each other"))
        #expect(Self.refusal(rest + [("startup_nodes", "a:1")]).contains("unknown key 'startup_nodes'"))
        #expect(Self.refusal([("type", "valkey")]).contains("'startup_nodes' is missing"))
        #expect(Self.refusal([("type", "valkey"), ("startup_nodes", "a")]).contains("accepted is host:port"))
        #expect(Self.refusal([("type", "valkey"), ("startup_nodes", "")]).contains("empty"))
        #expect(Self.refusal([("type", "valkey"), ("startup_nodes", "a:1,b:2")]).contains("one without cluster_mode"))
        #expect(
            Self.refusal(rest + [("cluster_mode", .bool(true)), ("database_id", .integer(1))])
                .contains("clusters have no other"))
    }
}
