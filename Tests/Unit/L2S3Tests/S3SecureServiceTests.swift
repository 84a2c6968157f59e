// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Testing

@testable import L2S3

/// Against a real service over TLS, and with the bucket before the host.
@Suite struct S3SecureServiceTests {
    enum Style: String, Sendable, CaseIterable {
        case securePath, securePathOverHTTP1, secureHost, plainHost
    }

    @Test(
        TestStores.needs("LMCACHE_TEST_S3_TLS", "LMCACHE_TEST_S3_DOMAIN", "LMCACHE_TEST_S3_CA"),
        arguments: Style.allCases, L2ConformanceSuite.checks.map(\.name))
    func serviceConforms(_ style: Style, _ name: String) throws {
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        let messages = Messages()
        check.run(try S3Adapter.start(try Self.configuration(style), environment: [:], log: messages.log))
        #expect(messages.all == [])
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3_TLS"), arguments: [Style.securePath, .secureHost])
    func largeObjectsGoInParts(_ style: Style) throws {
        var configuration = try Self.configuration(style)
        (configuration.partBytes, configuration.partedBytes) = (5 << 20, 8 << 20)
        let adapter = try S3Adapter.start(configuration, environment: [:])
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 12 << 20))
        for index in object.buffer.bytes.indices where index.isMultiple(of: 4099) {
            object.buffer.bytes[index] = UInt8(truncatingIfNeeded: index)
        }
        let blank = L2Object(key: object.key, buffer: L2Buffer(byteCount: 12 << 20))
        #expect(adapter.perform(.store([object])) == [.done(byteCount: 12 << 20)])
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: 12 << 20)])
        expectContent(blank.buffer.content, equals: object.buffer.content)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3_TLS"))
    func aCertificateOfAnUnknownAuthorityIsRefusedAndOneLineSaysSo() throws {
        var configuration = try Self.configuration(.securePath)
        configuration.authorityFile = nil
        #expect(try Self.refusal(configuration).contains("certificate"))
        configuration.verifiesServer = false
        #expect(try Self.refusal(configuration) == "")
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3_TLS"))
    func aCertificateForAnotherHostIsRefusedAndOneLineSaysSo() throws {
        var configuration = try Self.configuration(.securePath)
        configuration.origin = configuration.origin.replacing("//localhost", with: "//other.localhost")
        let line = try Self.refusal(configuration)
        #expect(line.contains("other.localhost") && line.contains("certificate"))
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3_TLS"))
    func anAuthorityFileThatIsNoneIsNamed() throws {
        var configuration = try Self.configuration(.securePath)
        configuration.authorityFile = "/nowhere/ca.crt"
        #expect(try Self.refusal(configuration).contains("/nowhere/ca.crt"))
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3_TLS", "LMCACHE_TEST_S3"))
    func aServiceWithoutTLSIsRefused() throws {
        var configuration = try Self.configuration(.securePath)
        let plain: String = try #require(TestStores.value("LMCACHE_TEST_S3"))
        configuration.origin = plain.replacing("http://", with: "https://")
        #expect(try Self.refusal(configuration) != "")
    }

    // MARK: Parts

    /// The one line of an adapter whose operations fail; empty for one whose operations do not.
    private static func refusal(_ configuration: S3Configuration) throws -> String {
        let messages = Messages()
        let adapter = try S3Adapter.start(configuration, environment: [:], log: messages.log)
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 10))
        let results = adapter.perform(.store([object])) + adapter.perform(.load([object]))
        #expect(adapter.close(milliseconds: 10_000))
        #expect(results.haveAllSucceeded == messages.all.isEmpty)
        #expect(messages.all.count <= 1)
        return messages.all.first ?? ""
    }

    private static func configuration(_ style: Style) throws -> S3Configuration {
        let bucket: String = try #require(TestStores.value("LMCACHE_TEST_S3_BUCKET"))
        let secure: String = try #require(TestStores.value("LMCACHE_TEST_S3_TLS"))
        let domain: String = try #require(TestStores.value("LMCACHE_TEST_S3_DOMAIN"))
        var configuration: S3Configuration
        switch style {
        case .securePath, .securePathOverHTTP1:
            configuration = S3Configuration(origin: secure, bucketPath: "/" + bucket, region: "us-east-1")
        case .secureHost:
            let origin = secure.replacing("//", with: "//\(bucket).")
            configuration = S3Configuration(origin: origin, region: "us-east-1")
        case .plainHost: configuration = S3Configuration(origin: "http://\(bucket).\(domain)", region: "us-east-1")
        }
        configuration.prefersHTTP2 = style != .securePathOverHTTP1
        configuration.authorityFile = TestStores.value("LMCACHE_TEST_S3_CA")
        configuration.accessKey = TestStores.value("LMCACHE_TEST_S3_KEY")
        configuration.secretKey = TestStores.value("LMCACHE_TEST_S3_SECRET")
        configuration.prefix = "tests/" + TestStores.freshName()
        configuration.workers = 4
        return configuration
    }
}
