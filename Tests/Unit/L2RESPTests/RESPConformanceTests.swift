// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2RESP
import L2Storage
import Testing

/// Against real servers, one database or one prefix for each check.
@Suite struct RESPConformanceTests {
    @Test(
        TestStores.needs("LMCACHE_TEST_REDIS"), arguments: L2ConformanceSuite.checks.map(\.name))
    func redisConforms(_ name: String) throws {
        var configuration = RESPConfiguration(endpoints: [try Self.endpoint("LMCACHE_TEST_REDIS")])
        configuration.database = TestStores.freshDatabase()
        try Self.run(name, configuration)
    }

    @Test(
        TestStores.needs("LMCACHE_TEST_REDIS_TLS"), arguments: L2ConformanceSuite.checks.map(\.name))
    func redisWithTLSAndAUserConforms(_ name: String) throws {
        var configuration = try Self.secure()
        configuration.database = TestStores.nextNumber() % 15 + 1
        configuration.keyPrefix = TestStores.freshName()
        try Self.run(name, configuration)
    }

    @Test(
        TestStores.needs("LMCACHE_TEST_VALKEY"), arguments: L2ConformanceSuite.checks.map(\.name))
    func valkeyWithAPrefixAndALifetimeConforms(_ name: String) throws {
        var configuration = RESPConfiguration(kind: .valkey, endpoints: [try Self.endpoint("LMCACHE_TEST_VALKEY")])
        configuration.keyPrefix = TestStores.freshName() + " [*?é"
        configuration.lifetimeMilliseconds = 600_000
        try Self.run(name, configuration)
    }

    @Test(
        TestStores.needs("LMCACHE_TEST_VALKEY_CLUSTER"), arguments: L2ConformanceSuite.checks.map(\.name))
    func valkeyClusterConforms(_ name: String) throws {
        try Self.run(name, try Self.cluster())
    }

    @Test(TestStores.needs("LMCACHE_TEST_VALKEY_CLUSTER"))
    func aClusterIsFoundThroughAnyOfItsServersAndItsSlotsAreLearnt() throws {
        var configuration = try Self.cluster()
        configuration.endpoints = [try #require(configuration.endpoints.last)]
        let adapter = RESPAdapter.start(configuration)
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = (0..<200).map { number in
            L2Object(
                key: L2ConformanceSuite.key(number),
                buffer: L2Buffer(copying: L2ConformanceSuite.content(1000, seed: Int(number))))
        }
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        let blank = objects.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: 1000)) }
        #expect(adapter.perform(.load(blank)).haveAllSucceeded)
        for (one, other) in zip(objects, blank) { expectContent(other.buffer.content, equals: one.buffer.content) }
    }

    @Test(TestStores.needs("LMCACHE_TEST_REDIS_TLS"))
    func aServerWithoutAValidCertificateOrWithoutOurUserIsNotUsed() throws {
        var unknown = try Self.secure()
        unknown.security?.authorityFile = nil
        var otherName = try Self.secure()
        otherName.endpoints[0].host = "127.0.0.2"
        var otherPassword = try Self.secure()
        otherPassword.password = "wrong"
        var plain = try Self.secure()
        plain.security = nil
        for configuration in [unknown, otherName, otherPassword, plain] {
            let messages = Messages()
            let adapter = RESPAdapter.start(configuration, log: messages.log)
            let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 10))
            #expect(adapter.perform(.store([object])) == [.failed(.unavailable)])
            #expect(adapter.close(milliseconds: 10_000))
            #expect(messages.all.count == 1)
        }
    }

    @Test(TestStores.needs("LMCACHE_TEST_REDIS_TLS"))
    func tlsMovesLargeValuesBothWaysAtOnce() throws {
        var configuration = try Self.secure()
        configuration.keyPrefix = TestStores.freshName()
        configuration.workers = 2
        let adapter = RESPAdapter.start(configuration)
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = (0..<8).map { number in
            L2Object(
                key: L2ConformanceSuite.key(number),
                buffer: L2Buffer(copying: L2ConformanceSuite.content(3_000_001, seed: Int(number))))
        }
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        let blank = objects.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: 3_000_001)) }
        #expect(adapter.perform(.load(blank)).haveAllSucceeded)
        for (one, other) in zip(objects, blank) { expectContent(other.buffer.content, equals: one.buffer.content) }
    }

    @Test(TestStores.needs("LMCACHE_TEST_REDIS"))
    func aManifestBindsAModelToItsLayout() throws {
        var configuration = RESPConfiguration(endpoints: [try Self.endpoint("LMCACHE_TEST_REDIS")])
        configuration.database = TestStores.freshDatabase()
        let manifest = L2NamespaceManifest(modelName: "org/model", layoutSignature: "a", hashAlgorithm: "blake3")
        let other = L2NamespaceManifest(modelName: "org/model", layoutSignature: "b", hashAlgorithm: "blake3")
        let medium = RESPMedium(configuration)
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 10))
        #expect(medium.bind(to: manifest) == .agrees)
        #expect(medium.bind(to: manifest) == .agrees)
        #expect(medium.store(object) == .done(byteCount: 10))
        let stranger = RESPMedium(configuration)
        #expect(stranger.bind(to: other) == .conflicts)
        #expect(stranger.load(object) == .miss(.otherLayout))
        #expect(stranger.store(object) == .miss(.otherLayout))
        #expect(stranger.bind(to: manifest) == .agrees)
        #expect(stranger.load(object) == .done(byteCount: 10))
        // One that holds both layouts goes on serving the one that is on the medium.
        #expect(medium.bind(to: other) == .conflicts)
        #expect(medium.load(object) == .done(byteCount: 10))
        #expect(medium.list(L2ListQuery()) == .success(L2Page(keys: [object.key], next: nil)))
    }

    @Test(TestStores.needs("LMCACHE_TEST_REDIS"))
    func aCapacityRefusesWhatDoesNotFitAndKeepsTheOrderOfUse() throws {
        var configuration = RESPConfiguration(endpoints: [try Self.endpoint("LMCACHE_TEST_REDIS")])
        configuration.database = TestStores.freshDatabase()
        configuration.capacityBytes = 2500
        let adapter = RESPAdapter.start(configuration)
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = (0..<3).map { L2Object(key: L2ConformanceSuite.key($0), buffer: L2Buffer(byteCount: 1000)) }
        #expect(adapter.perform(.store([objects[0]])).haveAllSucceeded)
        #expect(adapter.perform(.store([objects[1]])).haveAllSucceeded)
        #expect(adapter.perform(.store([objects[2]])) == [.failed(.full)])
        #expect(adapter.perform(.load([objects[0]])).haveAllSucceeded)
        #expect(adapter.leastRecent(limit: 1) == [objects[1].key])
        #expect(adapter.perform(.delete(adapter.leastRecent(limit: 1))).haveAllSucceeded)
        #expect(adapter.perform(.store([objects[2]])).haveAllSucceeded)
    }

    @Test(TestStores.needs("LMCACHE_TEST_REDIS", "LMCACHE_TEST_VALKEY_CLUSTER"), arguments: [false, true])
    func whatTheServersHeldBeforeIsCounted(_ isCluster: Bool) throws {
        var configuration = RESPConfiguration(endpoints: [try Self.endpoint("LMCACHE_TEST_REDIS")])
        if isCluster { configuration = try Self.cluster() }
        configuration.keyPrefix = TestStores.freshName()
        let first = RESPAdapter.start(configuration)
        let objects = (0..<2500).map { number in
            L2Object(
                key: L2ConformanceSuite.key(number, salt: number.isMultiple(of: 2) ? "a" : ""),
                buffer: L2Buffer(byteCount: 10 + Int(number)))
        }
        #expect(first.perform(.store(objects)).haveAllSucceeded)
        let expected = first.usage()
        #expect(expected.completeness == .sinceStart)
        #expect(first.close(milliseconds: 10_000))
        configuration.countsUsage = true
        configuration.capacityBytes = expected.usedBytes + 100
        let second = RESPAdapter.start(configuration)
        let more = L2Object(key: L2ConformanceSuite.key(5000), buffer: L2Buffer(byteCount: 10))
        #expect(second.perform(.store([more, objects[7]])) == [.done(byteCount: 10), .present(byteCount: 17)])
        #expect(second.perform(.delete([objects[8].key])) == [.done(byteCount: 18)])
        let deadline = MonotonicL2Clock().now().advanced(milliseconds: 30_000)
        while second.usage().completeness != .complete, MonotonicL2Clock().now() < deadline {}
        let usage = second.usage()
        #expect(usage.objectCount == 2500 && usage.usedBytes == expected.usedBytes + 10 - 18)
        #expect(usage.bytesBySalt["a"] == expected.bytesBySalt["a"].map { $0 - 18 })
        // The capacity is that of everything.
        let large = L2Object(key: L2ConformanceSuite.key(6000), buffer: L2Buffer(byteCount: 200))
        #expect(second.perform(.store([large])) == [.failed(.full)])
        #expect(second.perform(.delete((objects + [more]).map(\.key))).count == 2501)
        #expect(second.usage().usedBytes == 0)
        #expect(second.close(milliseconds: 10_000))
    }

    @Test func aServerThatNeverAnswersTheCountKeepsNobodyFromClosing() throws {
        let server = ScriptedServer { _, peer in while peer.readCommand() != nil {} }
        var configuration = RESPConfiguration(endpoints: [RESPEndpoint(host: "127.0.0.1", port: server.port)])
        configuration.countsUsage = true
        let adapter = RESPAdapter.start(configuration)
        #expect(adapter.usage().completeness == .counting)
        let started = MonotonicL2Clock().now()
        #expect(adapter.close(milliseconds: 10_000))
        #expect(MonotonicL2Clock().now() < started.advanced(milliseconds: 5000))
    }

    // MARK: Parts

    static func endpoint(_ variable: String) throws -> RESPEndpoint {
        let place = try TestStores.place(variable)
        return RESPEndpoint(host: place.host, port: place.port)
    }

    private static func secure() throws -> RESPConfiguration {
        var configuration = RESPConfiguration(endpoints: [try Self.endpoint("LMCACHE_TEST_REDIS_TLS")])
        configuration.username = try #require(TestStores.value("LMCACHE_TEST_REDIS_USER"))
        configuration.password = try #require(TestStores.value("LMCACHE_TEST_REDIS_PASSWORD"))
        var security = RESPConfiguration.Security()
        let authority: String = try #require(TestStores.value("LMCACHE_TEST_REDIS_CA"))
        security.authorityFile = authority
        configuration.security = security
        return configuration
    }

    private static func cluster() throws -> RESPConfiguration {
        let text = try #require(TestStores.value("LMCACHE_TEST_VALKEY_CLUSTER"))
        var configuration = RESPConfiguration(
            kind: .valkey, endpoints: text.split(separator: ",").compactMap { RESPEndpoint(String($0)) })
        configuration.isCluster = true
        configuration.keyPrefix = TestStores.freshName()
        return configuration
    }

    private static func run(_ name: String, _ configuration: RESPConfiguration) throws {
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        let messages = Messages()
        check.run(RESPAdapter.start(configuration, log: messages.log))
        #expect(messages.all == [])
    }
}
