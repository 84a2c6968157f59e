// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2Storage
import Synchronization
import Testing

@testable import L2S3

/// Large objects, against a bucket in memory.
@Suite struct PartedObjectTests {
    private static func object(_ byteCount: Int, _ number: UInt64 = 1) -> L2Object {
        L2Object(
            key: L2ConformanceSuite.key(number),
            buffer: L2Buffer(copying: L2ConformanceSuite.content(byteCount, seed: Int(number))))
    }

    private static func blank(_ byteCount: Int, _ number: UInt64 = 1) -> L2Object {
        L2Object(key: L2ConformanceSuite.key(number), buffer: L2Buffer(byteCount: byteCount))
    }

    @Test func plansCoverEveryByteOnceInAtMostAsManyPartsAsServicesTake() {
        #expect(PartPlan(byteCount: 250, partBytes: 100).ranges == [0..<100, 100..<200, 200..<250])
        #expect(PartPlan(byteCount: 200, partBytes: 100).ranges == [0..<100, 100..<200])
        #expect(PartPlan(byteCount: 1, partBytes: 100).ranges == [0..<1])
        for bytes in [10_000, 10_001, 19_999, 123_456_789] {
            let ranges = PartPlan(byteCount: bytes, partBytes: 1).ranges
            #expect(ranges.count <= PartPlan.limit && ranges.first?.lowerBound == 0)
            #expect(ranges.last?.upperBound == bytes)
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        }
    }

    @Test(arguments: [1, 100, 250, 251, 300, 301, 2345])
    func whatIsStoredInPartsIsLoadedInPartsWithEqualBytes(_ byteCount: Int) {
        let service = FakeS3()
        let medium = service.medium()
        defer { medium.shutDown() }
        let (object, blank) = (Self.object(byteCount), Self.blank(byteCount))
        #expect(medium.store(object) == .done(byteCount: byteCount))
        #expect(medium.store(object) == .present(byteCount: byteCount))
        #expect(medium.load(blank) == .done(byteCount: byteCount))
        expectContent(blank.buffer.content, equals: object.buffer.content)
        #expect(service.openUploads == 0)
        let parts = service.requests.count { $0.method == "PUT" }
        #expect(parts == (byteCount > 250 ? (byteCount - 1) / 100 + 1 : 1))
        #expect(service.objects.values.first?.headers[S3Bucket.checksumHeader] == L2Checksum.text(of: object.buffer))
        #expect(medium.usage().usedBytes == byteCount)
    }

    /// Every request fails once in every way: no wrong byte, nothing half-written, and nothing left behind.
    @Test(arguments: FakeS3.Fault.allCases)
    func aStoreWhoseRequestsFailLeavesAWholeObjectOrNone(_ fault: FakeS3.Fault) {
        let byteCount = 560
        // HEAD, a look at old uploads, begin, six parts, complete.
        for failing in 0...9 {
            let service = FakeS3 { number, _ in number == failing ? fault : nil }
            let medium = service.medium(workers: 2)
            let object = Self.object(byteCount)
            let result = medium.store(object)
            let there = service.objects.values.first
            if result.isSuccess {
                #expect(there?.bytes == object.buffer.content, "\(fault) of \(failing)")
            } else {
                #expect(result == .failed(.unavailable), "\(fault) of \(failing)")
                #expect(there == nil, "\(fault) of \(failing)")
                #expect(medium.usage().usedBytes == 0)
            }
            // A begin whose answer is lost leaves an upload that nobody knows the name of.
            let orphans = fault == .answerLost && failing == 2 ? 1 : 0
            #expect(service.openUploads == orphans, "\(fault) of \(failing)")
            // The next one puts it right, whatever happened.
            #expect(medium.store(object).isSuccess)
            let blank = Self.blank(byteCount)
            #expect(medium.load(blank) == .done(byteCount: byteCount))
            expectContent(blank.buffer.content, equals: object.buffer.content)
            #expect(medium.usage().usedBytes == byteCount)
            medium.shutDown()
        }
    }

    @Test(arguments: FakeS3.Fault.allCases)
    func aLoadWhoseRequestsFailHasTheBytesOrFails(_ fault: FakeS3.Fault) {
        let byteCount = 560
        for failing in 0...6 {
            let first = Mutex(Int.max)
            let service = FakeS3 { number, _ in number == first.withLock { $0 } ? fault : nil }
            let medium = service.medium(workers: 2)
            let (object, blank) = (Self.object(byteCount), Self.blank(byteCount))
            #expect(medium.store(object).isSuccess)
            let done = service.requests.count
            first.withLock { $0 = done + failing }
            let result = medium.load(blank)
            if result.isSuccess {
                expectContent(blank.buffer.content, equals: object.buffer.content)
            } else {
                #expect(
                    result == .failed(.unavailable) || fault == .lateError && result == .miss(.absent),
                    "\(fault) of \(failing)")
            }
            medium.shutDown()
        }
    }

    @Test func anUploadThatCannotBeEndedIsEndedLater() {
        let isDown = Mutex(false)
        let service = FakeS3 { _, request in
            if request.query.hasPrefix("partNumber=3") { return isDown.withLock { $0 } ? .denied : nil }
            return request.method == "DELETE" && isDown.withLock { $0 } ? .denied : nil
        }
        let medium = service.medium()
        defer { medium.shutDown() }
        isDown.withLock { $0 = true }
        #expect(medium.store(Self.object(500)) == .failed(.unavailable))
        #expect(service.openUploads == 1)
        isDown.withLock { $0 = false }
        #expect(medium.store(Self.object(500)).isSuccess)
        #expect(service.openUploads == 0)
    }

    @Test func uploadsThatKilledServersLeftAreEndedAfterADayAndOthersAreNot() {
        let service = FakeS3()
        let name = "/b/" + PercentEncoding.encoded(S3KeyName.spelled(L2ConformanceSuite.key(5)), keeping: "/")
        service.state.withLock { state in
            state.uploads["old"] = FakeS3.Upload(name: name, began: "2020-01-01T00:00:00.000Z")
            state.uploads["new"] = FakeS3.Upload(name: name)
            state.uploads["odd"] = FakeS3.Upload(name: name, began: "yesterday")
            state.uploads["foreign"] = FakeS3.Upload(name: "/b/backup.tar", began: "2020-01-01T00:00:00.000Z")
        }
        let medium = service.medium()
        defer { medium.shutDown() }
        #expect(medium.store(Self.object(500)).isSuccess)
        #expect(Set(service.state.withLock { $0.uploads.keys }) == ["new", "odd", "foreign"])
    }

    @Test func anObjectOfAnotherLengthIsAMissAndReplacedByTheNextStore() {
        let service = FakeS3()
        let medium = service.medium()
        defer { medium.shutDown() }
        #expect(medium.store(Self.object(500)).isSuccess)
        for other in [300, 499, 501, 5000] {
            #expect(medium.load(Self.blank(other)) == .miss(.wrongLength(found: 500)))
        }
        #expect(medium.store(Self.object(700)) == .done(byteCount: 700))
        #expect(medium.load(Self.blank(700)) == .done(byteCount: 700))
        #expect(medium.usage().usedBytes == 700)
    }

    @Test func anObjectThatIsReplacedBetweenTwoPartsIsNeverMixed() {
        let service = FakeS3 { _, _ in nil }
        let medium = service.medium(workers: 1)
        defer { medium.shutDown() }
        let object = Self.object(500)
        #expect(medium.store(object).isSuccess)
        let loads = Mutex(0)
        // Another server writes the object anew before each of the first parts.
        let racing = RacingClient(service) { request in
            guard request.part != nil,
                loads.withLock({ count in
                    count += 1
                    return count
                }) < 4
            else { return }
            service.state.withLock { state in
                for name in state.objects.keys {
                    state.lastNumber += 1
                    state.objects[name]?.tag = "\"\(state.lastNumber)\""
                    state.objects[name]?.bytes.reverse()
                    state.objects[name]?.headers = [:]
                }
            }
        }
        let reader = racing.medium
        let blank = Self.blank(500)
        #expect(reader.load(blank) == .done(byteCount: 500))
        let whole = service.objects.values.first?.bytes
        #expect(blank.buffer.content == whole)
        #expect(racing.sent.contains { $0.method == "GET" && $0.part == nil })
        reader.shutDown()
    }

    @Test func aServiceThatKnowsNoRangesSendsTheWhole() {
        let service = FakeS3(knowsRanges: false)
        let medium = service.medium()
        defer { medium.shutDown() }
        let (object, blank) = (Self.object(500), Self.blank(500))
        #expect(medium.store(object).isSuccess)
        #expect(medium.load(blank) == .done(byteCount: 500))
        expectContent(blank.buffer.content, equals: object.buffer.content)
    }

    @Test func otherBytesThanTheChecksumSaysAreAMissAndGo() {
        let service = FakeS3()
        let medium = service.medium()
        defer { medium.shutDown() }
        #expect(medium.store(Self.object(500)).isSuccess)
        service.state.withLock { state in
            for name in state.objects.keys { state.objects[name]?.bytes[333] ^= 1 }
        }
        #expect(medium.load(Self.blank(500)) == .miss(.corrupted))
        #expect(service.objects.isEmpty && medium.usage().usedBytes == 0)
    }

    @Test func partsThatAreManyAreDoneOnceEachAndEndWithTheFirstFailure() {
        let pool = PartPool(limit: 3)
        let done = Mutex([Int](repeating: 0, count: 500))
        let areAllDone = pool.run(500) { number in
            done.withLock { $0[number] += 1 }
            return true
        }
        #expect(areAllDone)
        #expect(done.withLock { $0.allSatisfy { $0 == 1 } })
        let count = Mutex(0)
        let isWhole = pool.run(500) { number in
            count.withLock { $0 += 1 }
            return number != 5
        }
        #expect(!isWhole)
        #expect(count.withLock { $0 } < 20)
        #expect(pool.run(0) { _ in false })
        pool.close()
        #expect(pool.run(3) { _ in true })
    }

    @Test(
        arguments: [
            ("bytes 0-99/1000", 0..<100, 1000), ("bytes 5-5/6", 5..<6, 6), ("bytes */7", nil, 7),
        ] as [(String, Range<Int>?, Int)])
    func rangesAreRead(_ text: String, _ range: Range<Int>?, _ total: Int) {
        #expect(ContentRange(text)?.range == range && ContentRange(text)?.total == total)
    }

    @Test(arguments: [
        "", "bytes", "bytes 0-9", "bytes 0-9/*", "bytes 9-0/10", "bytes 0-10/10", "bytes -1-5/10", "items 0-9/10",
        "bytes 0-9/99999999999999999999", "bytes 0-99999999999999999999/5", "bytes /5", "bytes a-b/c",
    ])
    func rangesThatAreNoneAreNone(_ text: String) { #expect(ContentRange(text) == nil) }
}

/// Does something before each request reaches a bucket.
private final class RacingClient: HTTPClient {
    private let service: FakeS3
    private let before: @Sendable (HTTPRequest) -> Void
    private let requests = Mutex<[HTTPRequest]>([])

    init(_ service: FakeS3, before: @escaping @Sendable (HTTPRequest) -> Void) {
        self.service = service
        self.before = before
    }

    var sent: [HTTPRequest] { self.requests.withLock { $0 } }

    var medium: S3Medium {
        var configuration = S3Configuration(origin: "http://h", bucketPath: "/b", region: "us-east-1")
        (configuration.accessKey, configuration.secretKey) = ("k", "s")
        (configuration.partBytes, configuration.partedBytes) = (100, 250)
        configuration.workers = 1
        let credentials = CredentialsChain(S3Adapter.sources(configuration, [:], client: self))
        let clock = MonotonicL2Clock()
        return S3Medium(
            configuration,
            service: S3Service(
                configuration, client: self, credentials: credentials, clock: clock, log: .none, random: { 0 }),
            clock: clock)
    }

    func perform(_ request: HTTPRequest, timeout: HTTPTimeout) -> HTTPOutcome {
        self.requests.withLock { $0.append(request) }
        self.before(request)
        return self.service.perform(request, timeout: timeout)
    }
}
