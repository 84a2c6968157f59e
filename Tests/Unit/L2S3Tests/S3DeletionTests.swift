// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2Storage
import Testing

@testable import L2S3

@Suite struct S3DeletionTests {
    private static func filled(_ service: FakeS3, _ medium: S3Medium, count: Int) -> [ObjectKey] {
        (0..<count).map { number in
            let key = L2ConformanceSuite.key(UInt64(number), salt: number.isMultiple(of: 3) ? "a&<\">é" : "")
            #expect(medium.store(L2Object(key: key, buffer: L2Buffer(byteCount: 10))).isSuccess)
            return key
        }
    }

    private static func delete(_ keys: [ObjectKey], _ medium: S3Medium) -> [L2Result] {
        var results = [L2Result?](repeating: nil, count: keys.count)
        medium.perform(.delete(keys), deadline: nil) { results[$0] = $1 }
        return results.map { $0 ?? .failed(.unavailable) }
    }

    @Test func manyObjectsGoByOneRequestEachThousand() {
        let service = FakeS3()
        let medium = service.medium()
        defer { medium.shutDown() }
        let keys = Self.filled(service, medium, count: 2500)
        let before = service.requests.count
        #expect(Self.delete(keys, medium) == keys.map { _ in .done(byteCount: 10) })
        let sent = service.requests[before...]
        #expect(sent.map(\.method) == ["POST", "POST", "POST"])
        #expect(service.objects.isEmpty && medium.usage().objectCount == 0)
        for request in sent {
            guard case .bytes(let body) = request.body else {
                Issue.record("no body")
                return
            }
            #expect(request.headers.contains { $0 == ("content-md5", MD5.base64(body)) })
        }
    }

    @Test func objectsThatNobodyKnowsAreLookedForFirst() {
        let service = FakeS3()
        let (writer, medium) = (service.medium(), service.medium())
        defer {
            writer.shutDown()
            medium.shutDown()
        }
        let keys = Self.filled(service, writer, count: 5)
        let wanted = keys + [L2ConformanceSuite.key(99)]
        #expect(Self.delete(wanted, medium) == keys.map { _ in .done(byteCount: 10) } + [.miss(.absent)])
        #expect(service.objects.isEmpty)
        #expect(service.requests.count { $0.method == "HEAD" } == 5 + 6)
        #expect(service.requests.count { $0.method == "POST" } == 1)
    }

    @Test func aServiceThatKnowsNoBulkDeletionIsAskedForEachAndOnlyOnceForAll() {
        let service = FakeS3(knowsBulkDeletion: false)
        let medium = service.medium()
        defer { medium.shutDown() }
        let keys = Self.filled(service, medium, count: 8)
        #expect(Self.delete(Array(keys[..<4]), medium).haveAllSucceeded)
        #expect(Self.delete(Array(keys[4...]), medium).haveAllSucceeded)
        #expect(service.objects.isEmpty)
        #expect(service.requests.count { $0.method == "POST" } == 1)
    }

    @Test func namesThatXMLCannotSayGoOneByOne() {
        let service = FakeS3()
        let medium = service.medium()
        defer { medium.shutDown() }
        let keys = ["a\u{1}b", "plain", "tab\t", "other"].map { L2ConformanceSuite.key(1, salt: $0) }
        for key in keys { #expect(medium.store(L2Object(key: key, buffer: L2Buffer(byteCount: 10))).isSuccess) }
        #expect(Self.delete(keys, medium).haveAllSucceeded)
        #expect(service.objects.isEmpty)
        #expect(service.requests.count { $0.method == "DELETE" } == 2)
    }

    @Test(arguments: FakeS3.Fault.allCases)
    func keysOfARequestThatFailsFail(_ fault: FakeS3.Fault) {
        let service = FakeS3 { _, request in request.query == "delete" ? fault : nil }
        let medium = service.medium()
        let keys = Self.filled(service, medium, count: 4)
        let results = Self.delete(keys, medium)
        #expect(results == keys.map { _ in .failed(.unavailable) })
        #expect(medium.usage().objectCount == 4)
        medium.shutDown()
    }

    /// Bodies with status 200, and which of two keys then count as deleted.
    @Test(arguments: [
        ("<DeleteResult><Deleted><Key>0</Key></Deleted><Deleted><Key>1</Key></Deleted></DeleteResult>", [true, true]),
        (
            "<DeleteResult><Deleted><Key>1</Key></Deleted><Error><Key>0</Key><Code>AccessDenied</Code></Error></DeleteResult>",
            [false, true]
        ),
        ("<DeleteResult><Deleted><Key>0</Key></Deleted></DeleteResult>", [true, false]),
        ("<DeleteResult/>", [false, false]), ("", [false, false]), ("<DeleteResult><Deleted><Key>0", [false, false]),
        ("<DeleteResult><Deleted><Key>2</Key></Deleted></DeleteResult>", [false, false]),
    ])
    func onlyWhatTheServiceNamesIsGone(_ body: String, _ expected: [Bool]) {
        let keys = [L2ConformanceSuite.key(0), L2ConformanceSuite.key(1)]
        var body = body
        for (number, key) in keys.enumerated() {
            body = body.replacing("<Key>\(number)<", with: "<Key>\(S3KeyName.spelled(key))<")
        }
        let answer = body
        let client = ScriptedClient { _, request in
            request.method == "HEAD"
                ? ScriptedClient.reply(200, headers: ["content-length": "10"]) : ScriptedClient.reply(200, answer)
        }
        var configuration = S3Configuration(origin: "http://h", bucketPath: "/b", region: "us-east-1")
        (configuration.accessKey, configuration.secretKey) = ("k", "s")
        let clock = MonotonicL2Clock()
        let service = S3Service(
            configuration, client: client,
            credentials: CredentialsChain(S3Adapter.sources(configuration, [:], client: client)), clock: clock,
            log: .none, random: { 0 })
        let medium = S3Medium(configuration, service: service, clock: clock)
        #expect(Self.delete(keys, medium).map(\.isSuccess) == expected)
        medium.shutDown()
    }

    /// Source: RFC 1321, appendix A.5.
    @Test(arguments: [
        ("", "1B2M2Y8AsgTpgAmY7PhCfg=="), ("a", "DMF1ucDxtqgxw5niaXcmYQ=="), ("abc", "kAFQmDzST7DWlj99KOF/cg=="),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "V+30oivjyVWsSdouIQe2eg=="
        ),
    ])
    func digestsAreThoseOfTheStandard(_ text: String, _ digest: String) {
        #expect(MD5.base64(Array(text.utf8)) == digest)
    }
}
