// lmcache · SPDX-License-Identifier: Apache-2.0

import L2S3
import L2Storage
import Telemetry
import Testing

@Suite struct S3ConfigurationTests {
    private static func read(_ members: [(String, JSONValue)]) throws -> S3Configuration {
        try S3Configuration(try L2AdapterConfiguration(.object([("type", "s3")] + members), types: S3Adapter.types))
    }

    private static func refusal(_ members: [(String, JSONValue)]) -> String {
        do {
            _ = try Self.read(members)
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    private static func origin(_ endpoint: String, _ more: [(String, JSONValue)] = []) throws -> String {
        let found = try Self.read([("s3_endpoint", .string(endpoint)), ("s3_region", "us-east-1")] + more)
        return found.origin + found.bucketPath
    }

    @Test func theOriginalsKeysHaveItsDefaults() throws {
        let found = try Self.read([("s3_endpoint", "s3://b.s3.us-east-1.amazonaws.com"), ("s3_region", "us-east-1")])
        #expect(found == S3Configuration(origin: "https://b.s3.us-east-1.amazonaws.com", region: "us-east-1"))
        #expect(found.workers == 64 && found.prefersHTTP2 && found.capacityBytes == nil && found.usesChecksums)
    }

    @Test func usageIsCountedWhereACapacityOrAnEvictionNeedsIt() throws {
        let rest: [(String, JSONValue)] = [("s3_endpoint", "b.host"), ("s3_region", "r")]
        #expect(try !Self.read(rest).countsUsage)
        #expect(try Self.read(rest + [("max_capacity_gb", .integer(1))]).countsUsage)
        #expect(try Self.read(rest + [("eviction", ["eviction_policy": "IsolatedLRU"])]).countsUsage)
        #expect(try !Self.read(rest + [("eviction", ["eviction_policy": "noop"])]).countsUsage)
    }

    @Test func endpointsAreUnderstoodInEveryForm() throws {
        #expect(try Self.origin("b.host:9000", [("disable_tls", .bool(true))]) == "http://b.host:9000")
        #expect(try Self.origin("http://b.host:9000/") == "http://b.host:9000")
        #expect(try Self.origin("https://b.host") == "https://b.host")
        #expect(try Self.origin("host:1", [("s3_bucket", "b")]) == "https://b.host:1")
        #expect(try Self.origin("host:1", [("s3_bucket", "b"), ("s3_path_style", .bool(true))]) == "https://host:1/b")
    }

    @Test func everyOtherKeyIsRead() throws {
        let found = try Self.read([
            ("s3_endpoint", "b.host"), ("s3_region", "r"), ("s3_num_io_threads", .integer(3)),
            ("s3_prefer_http2", .bool(false)), ("s3_enable_s3express", .bool(false)), ("aws_access_key_id", "k"),
            ("aws_secret_access_key", "s"), ("aws_session_token", "t"), ("max_capacity_gb", .integer(1)),
            ("s3_prefix", "a/b/"), ("request_timeout", .integer(2)), ("connection_timeout", .double(0.5)),
            ("tls_ca_file", "ca"), ("tls_verify", .bool(false)), ("checksums", .bool(false)),
            ("s3_part_size_mb", .integer(8)), ("s3_multipart_threshold_mb", .integer(32)),
        ])
        #expect(found.workers == 3 && !found.prefersHTTP2 && found.accessKey == "k" && found.secretKey == "s")
        #expect(found.sessionToken == "t" && found.capacityBytes == 1 << 30 && found.prefix == "a/b")
        #expect(found.requestMilliseconds == 2000 && found.connectMilliseconds == 500)
        #expect(found.partBytes == 8 << 20 && found.partedBytes == 32 << 20)
        #expect(found.authorityFile == "ca" && !found.verifiesServer && !found.usesChecksums)
    }

    @Test func whatIsNotAcceptedIsNamed() {
        let rest: [(String, JSONValue)] = [("s3_endpoint", "b.host"), ("s3_region", "r")]
        #expect(Self.refusal([("s3_region", "r")]).contains("'s3_endpoint' is missing"))
        #expect(Self.refusal([("s3_endpoint", "b.host")]).contains("'s3_region' is missing"))
        #expect(Self.refusal(rest + [("s3_regoin", "r")]).contains("did you mean 's3_region'?"))
        #expect(Self.refusal(rest + [("s3_num_io_threads", .integer(0))]).contains("from 1 to 1024"))
        #expect(Self.refusal(rest + [("s3_enable_s3express", .bool(true))]).contains("not supported"))
        #expect(Self.refusal(rest + [("aws_access_key_id", "k")]).contains("need each other"))
        #expect(Self.refusal(rest + [("s3_path_style", .bool(true))]).contains("needs 's3_bucket'"))
        #expect(Self.refusal(rest + [("s3_part_size_mb", .integer(4))]).contains("from 5 to 5120"))
        #expect(Self.refusal(rest + [("s3_prefix", "/a")]).contains("without a leading"))
        for endpoint in ["", "s3://", "b.host/path", "user@b.host", "b host"] {
            #expect(Self.refusal([("s3_endpoint", .string(endpoint)), ("s3_region", "r")]).contains("s3_endpoint"))
        }
        #expect(Self.refusal([("s3_endpoint", "b.host"), ("s3_region", "r\r\nx")]).contains("s3_region"))
    }
}
