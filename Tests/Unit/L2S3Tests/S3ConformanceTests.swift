// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import L2Conformance
import L2Storage
import Testing

@testable import L2S3

/// Against a real service, one prefix for each check.
@Suite struct S3ConformanceTests {
    @Test(TestStores.needs("LMCACHE_TEST_S3"), arguments: L2ConformanceSuite.checks.map(\.name))
    func serviceConforms(_ name: String) throws {
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        let messages = Messages()
        check.run(try S3Adapter.start(try Self.configuration(), environment: [:], log: messages.log))
        #expect(messages.all == [])
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func largeObjectsGoInPartsAndFailedOnesLeaveNone() throws {
        var configuration = try Self.configuration()
        (configuration.partBytes, configuration.partedBytes) = (5 << 20, 8 << 20)
        let byteCount = 23 << 20
        let adapter = try S3Adapter.start(configuration, environment: [:])
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = (0..<3).map { number in
            L2Object(
                key: L2ConformanceSuite.key(UInt64(number)),
                buffer: L2Buffer(copying: L2ConformanceSuite.content(byteCount + number, seed: number)))
        }
        #expect(adapter.perform(.store(objects)) == objects.map { .done(byteCount: $0.buffer.byteCount) })
        let blank = objects.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: $0.buffer.byteCount)) }
        #expect(adapter.perform(.load(blank)) == objects.map { .done(byteCount: $0.buffer.byteCount) })
        for (one, other) in zip(objects, blank) { expectContent(one.buffer.content, equals: other.buffer.content) }
        let other = L2Object(key: objects[0].key, buffer: L2Buffer(byteCount: byteCount + 1))
        #expect(adapter.perform(.load([other])) == [.miss(.wrongLength(found: byteCount))])
        // A store whose time is over before its last part.
        let late = L2Object(key: L2ConformanceSuite.key(9), buffer: L2Buffer(byteCount: 64 << 20))
        let soon = MonotonicL2Clock().now().advanced(milliseconds: 30)
        #expect(adapter.perform(.store([late]), deadline: soon).first?.isSuccess == false)
        #expect(Self.comesTrue { adapter.occupiedItems == 0 })
        let service = try Self.service(configuration)
        let bucket = S3Bucket(configuration: configuration, service: service)
        // An end that a busy service did not confirm in time is asked for again with the next large store.
        var more: [ObjectKey] = []
        let isClean = Self.comesTrue {
            let isClean = Self.uploads(in: bucket, service)?.isEmpty ?? false
            if !isClean {
                more.append(L2ConformanceSuite.key(UInt64(100 + more.count)))
                _ = adapter.perform(.store([L2Object(key: more[more.count - 1], buffer: L2Buffer(byteCount: 9 << 20))]))
            }
            return isClean
        }
        #expect(isClean)
        #expect(
            Self.whenAvailable { adapter.perform(.lookup([L2Probe(key: late.key, byteCount: 1)])) }
                == [.miss(.absent)])
        for key in objects.map(\.key) + more {
            let result = Self.whenAvailable { adapter.perform(.delete([key])) }
            #expect(result.haveAllSucceeded || more.contains(key))
        }
    }

    /// The uploads that have begun and not ended; nil where the service does not say.
    private static func uploads(in bucket: S3Bucket, _ service: S3Service) -> [XMLText]? {
        let query = [("uploads", ""), ("prefix", bucket.configuration.prefix)]
        guard case .reply(let reply) = service.send(bucket.request("GET", name: nil, query: query), deadline: nil),
            reply.status == 200
        else { return nil }
        let found = XMLText(reply.body)
        return found.first("ListMultipartUploadsResult") == nil ? nil : found.all("Upload")
    }

    /// Asks again for as long as the service, which other tests keep busy, or the breaker before it does not answer.
    private static func whenAvailable(_ ask: () -> [L2Result]) -> [L2Result] {
        var results: [L2Result] = []
        _ = Self.comesTrue {
            results = ask()
            return !results.contains(.failed(.unavailable))
        }
        return results
    }

    private static func comesTrue(_ isTrue: () -> Bool) -> Bool {
        let deadline = MonotonicL2Clock().now().advanced(milliseconds: 60_000)
        while !isTrue() {
            guard MonotonicL2Clock().now() < deadline else { return false }
            usleep(50_000)
        }
        return true
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func whatTheBucketHeldBeforeIsCounted() throws {
        var configuration = try Self.configuration()
        let first = try S3Adapter.start(configuration, environment: [:])
        let objects = (0..<1200).map { number in
            L2Object(
                key: L2ConformanceSuite.key(number, salt: number.isMultiple(of: 2) ? "a" : ""),
                buffer: L2Buffer(byteCount: 10 + Int(number)))
        }
        #expect(first.perform(.store(objects)).haveAllSucceeded)
        let expected = first.usage()
        #expect(expected.completeness == .sinceStart && expected.objectCount == 1200)
        #expect(first.close(milliseconds: 10_000))
        configuration.capacityBytes = 1 << 30
        configuration.countsUsage = true
        let second = try S3Adapter.start(configuration, environment: [:])
        let more = L2Object(key: L2ConformanceSuite.key(5000), buffer: L2Buffer(byteCount: 10))
        #expect(second.perform(.store([more, objects[7]])) == [.done(byteCount: 10), .present(byteCount: 17)])
        #expect(second.perform(.delete([objects[8].key])) == [.done(byteCount: 18)])
        let deadline = MonotonicL2Clock().now().advanced(milliseconds: 30_000)
        while second.usage().completeness != .complete, MonotonicL2Clock().now() < deadline {}
        let usage = second.usage()
        #expect(usage.objectCount == 1200 && usage.usedBytes == expected.usedBytes + 10 - 18)
        #expect(usage.bytesBySalt["a"] == expected.bytesBySalt["a"].map { $0 - 18 })
        #expect(second.perform(.delete((objects + [more]).map(\.key))).count == 1201)
        #expect(second.usage().usedBytes == 0)
        #expect(second.close(milliseconds: 10_000))
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func thousandsGoByOneRequestEachThousand() throws {
        let adapter = try S3Adapter.start(try Self.configuration(), environment: [:])
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = (0..<1500).map { number in
            L2Object(
                key: L2ConformanceSuite.key(number, salt: number.isMultiple(of: 2) ? "a&<b> é+%" : ""),
                buffer: L2Buffer(byteCount: 10))
        }
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        #expect(adapter.perform(.delete(objects.map(\.key))) == objects.map { _ in .done(byteCount: 10) })
        #expect(adapter.perform(.delete(objects.map(\.key))) == objects.map { _ in .miss(.absent) })
        #expect(adapter.page(L2ListQuery()) == .success(L2Page(keys: [], next: nil)))
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func objectsThatAreNoLongerThoseStoredAreMissed() throws {
        var configuration = try Self.configuration()
        let adapter = try S3Adapter.start(configuration, environment: [:])
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(copying: [1, 2, 3, 4]))
        #expect(adapter.perform(.store([object])) == [.done(byteCount: 4)])
        // Somebody writes other bytes of that length and keeps what belonged to the old ones.
        let service = try Self.service(configuration)
        var put = HTTPRequest(
            method: "PUT", origin: configuration.origin,
            path: configuration.bucketPath + "/" + configuration.prefix + S3KeyName.path(object.key),
            headers: [(S3Bucket.checksumHeader, L2Checksum.text(of: object.buffer))], body: .bytes([1, 2, 3, 5]))
        guard case .reply(let made) = service.send(put, deadline: nil) else {
            Issue.record("no reply")
            return
        }
        #expect(made.status == 200)
        let blank = L2Object(key: object.key, buffer: L2Buffer(byteCount: 4))
        #expect(adapter.perform(.load([blank])) == [.miss(.corrupted)])
        #expect(adapter.counters().corrupted == 1)
        // It is gone, so that a store may put it right.
        #expect(adapter.perform(.load([blank])) == [.miss(.absent)])
        #expect(adapter.perform(.store([object])) == [.done(byteCount: 4)])
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: 4)])
        // Without a checksum, as the original writes, there is nothing to compare.
        put.headers = []
        _ = service.send(put, deadline: nil)
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: 4)])
        expectContent(blank.buffer.content, equals: [1, 2, 3, 5])
        configuration.usesChecksums = false
    }

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func aManifestBindsAModelToItsLayout() throws {
        let configuration = try Self.configuration()
        let medium = try S3Adapter.medium(configuration, environment: [:])
        let manifest = L2NamespaceManifest(modelName: "org/model", layoutSignature: "a", hashAlgorithm: "blake3")
        let other = L2NamespaceManifest(modelName: "org/model", layoutSignature: "b", hashAlgorithm: "blake3")
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 10))
        #expect(medium.bind(to: manifest) == .agrees)
        #expect(medium.bind(to: manifest) == .agrees)
        #expect(medium.store(object) == .done(byteCount: 10))
        let stranger = try S3Adapter.medium(configuration, environment: [:])
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

    @Test(TestStores.needs("LMCACHE_TEST_S3"))
    func wrongCredentialsAndOtherBucketsFailAndSayWhy() throws {
        var wrongSecret = try Self.configuration()
        wrongSecret.secretKey = "wrong"
        var noBucket = try Self.configuration()
        noBucket.bucketPath = "/no-such-bucket"
        let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 10))
        let messages = Messages()
        let adapter = try S3Adapter.start(wrongSecret, environment: [:], log: messages.log)
        #expect(adapter.perform(.load([object])) == [.failed(.unavailable)])
        #expect(adapter.perform(.store([object])) == [.failed(.unavailable)])
        #expect(adapter.page(L2ListQuery()) == .failure(.unavailable))
        #expect(messages.all.count == 1)
        #expect(messages.all.first?.contains("SignatureDoesNotMatch") == true)
        #expect(adapter.close(milliseconds: 10_000))
        let other = try S3Adapter.start(noBucket, environment: [:])
        #expect(!other.perform(.load([object]))[0].isSuccess)
        #expect(other.close(milliseconds: 10_000))
    }

    // MARK: Parts

    private static func configuration() throws -> S3Configuration {
        let origin: String = try #require(TestStores.value("LMCACHE_TEST_S3"))
        let bucket: String = try #require(TestStores.value("LMCACHE_TEST_S3_BUCKET"))
        var configuration = S3Configuration(origin: origin, bucketPath: "/" + bucket, region: "us-east-1")
        configuration.accessKey = TestStores.value("LMCACHE_TEST_S3_KEY")
        configuration.secretKey = TestStores.value("LMCACHE_TEST_S3_SECRET")
        configuration.prefix = "tests/" + TestStores.freshName()
        configuration.workers = 8
        return configuration
    }

    private static func service(_ configuration: S3Configuration) throws -> S3Service {
        let client = try CurlClient(CurlClient.Settings())
        return S3Service(
            configuration, client: client,
            credentials: CredentialsChain(S3Adapter.sources(configuration, [:], client: client)),
            clock: MonotonicL2Clock(), log: .none, random: { 0 })
    }
}
