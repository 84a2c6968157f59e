// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2Storage
import Synchronization
import Testing

@testable import L2S3

/// Against services that do not do what they should, byte by byte through libcurl.
@Suite struct S3HostileServiceTests {
    /// What a service says to `GET`, and what a load of 8 bytes then comes to.
    struct Said: Sendable {
        let name: String
        let reply: String
        let load: L2Result
    }

    private static func head(_ status: String, _ headers: String = "") -> String {
        "HTTP/1.1 \(status)\r\n\(headers)\r\n"
    }

    static let said: [Said] = [
        Said(
            name: "the object", reply: head("200 OK", "Content-Length: 8\r\n") + "12345678", load: .done(byteCount: 8)),
        Said(
            name: "the object with its checksum",
            reply: head("200 OK", "Content-Length: 8\r\nX-Amz-Meta-Lmcache-Crc32c: 6087809A\r\n") + "12345678",
            load: .done(byteCount: 8)),
        Said(
            name: "other bytes than its checksum's",
            reply: head("200 OK", "Content-Length: 8\r\nx-amz-meta-lmcache-crc32c: 6087809a\r\n") + "12345679",
            load: .miss(.corrupted)),
        Said(
            name: "a checksum that is none",
            reply: head("200 OK", "Content-Length: 8\r\nx-amz-meta-lmcache-crc32c: ?\r\n") + "12345678",
            load: .miss(.corrupted)),
        Said(
            name: "the object in pieces",
            reply: head("200 OK", "Transfer-Encoding: chunked\r\n") + "3\r\n123\r\n5\r\n45678\r\n0\r\n\r\n",
            load: .done(byteCount: 8)),
        Said(
            name: "a shorter one", reply: head("200 OK", "Content-Length: 3\r\n") + "123",
            load: .miss(.wrongLength(found: 3))),
        Said(
            name: "a longer one", reply: head("200 OK", "Content-Length: 9\r\n") + "123456789",
            load: .miss(.wrongLength(found: 9))),
        Said(
            name: "a longer one in pieces",
            reply: head("200 OK", "Transfer-Encoding: chunked\r\n") + "9\r\n123456789\r\n0\r\n\r\n",
            load: .miss(.wrongLength(found: 9))),
        Said(
            name: "a shorter one in pieces",
            reply: head("200 OK", "Transfer-Encoding: chunked\r\n") + "3\r\n123\r\n0\r\n\r\n",
            load: .miss(.wrongLength(found: 3))),
        Said(
            name: "an empty one", reply: head("200 OK", "Content-Length: 0\r\n"),
            load: .miss(.wrongLength(found: 0))),
        Said(
            name: "a body that is cut", reply: head("200 OK", "Content-Length: 8\r\nConnection: close\r\n") + "1234",
            load: .failed(.unavailable)),
        Said(
            name: "pieces that are cut",
            reply: head("200 OK", "Transfer-Encoding: chunked\r\nConnection: close\r\n") + "8\r\n1234",
            load: .failed(.unavailable)),
        Said(
            name: "a length that is none",
            reply: head("200 OK", "Content-Length: -8\r\nConnection: close\r\n") + "12345678",
            load: .failed(.unavailable)),
        Said(
            name: "a length beyond all",
            reply: head("200 OK", "Content-Length: 99999999999999999999\r\nConnection: close\r\n") + "12345678",
            load: .failed(.unavailable)),
        Said(name: "no such key", reply: head("404 Not Found", "Content-Length: 0\r\n"), load: .miss(.absent)),
        Said(
            name: "access denied",
            reply: head("403 Forbidden", "Content-Length: 34\r\n") + "<Error><Code>AccessDenied</Code></E",
            load: .failed(.unavailable)),
        Said(
            name: "only a part", reply: head("206 Partial Content", "Content-Length: 8\r\n") + "12345678",
            load: .failed(.unavailable)),
        Said(
            name: "an error that never ends", reply: head("500 Oops", "Content-Length: 0\r\n"),
            load: .failed(.unavailable)),
        Said(name: "a status that is none", reply: "HTTP/1.1 abc\r\n\r\n", load: .failed(.unavailable)),
        Said(name: "another protocol", reply: "-ERR unknown command 'GET'\r\n", load: .failed(.unavailable)),
        Said(name: "nothing", reply: "", load: .failed(.unavailable)),
        Said(
            name: "a way to nowhere",
            reply: head("307 Temporary Redirect", "Location: ftp://x/\r\nContent-Length: 0\r\n"),
            load: .failed(.unavailable)),
        Said(
            name: "another region",
            reply: head("301 Moved Permanently", "x-amz-bucket-region: eu-west-9\r\nContent-Length: 0\r\n"),
            load: .failed(.unavailable)),
    ]

    @Test(arguments: said.indices)
    func whatAServiceSaysHasADocumentedResult(_ index: Int) throws {
        let said = Self.said[index]
        for isWhole in [true, false] {
            let server = ScriptedServer { _, peer in
                while peer.readRequest() != nil {
                    if isWhole || said.reply.utf8.count > 200 {
                        peer.send(said.reply)
                    } else {
                        for byte in said.reply.utf8 { peer.send([byte]) }
                    }
                    if !said.load.isSuccess { return }
                }
            }
            let adapter = try Self.adapter(server.port)
            let blank = Self.object()
            #expect(adapter.perform(.load([blank])) == [said.load], "\(said.name)")
            if said.load.isSuccess { expectContent(blank.buffer.content, equals: Array("12345678".utf8)) }
            #expect(adapter.close(milliseconds: 10_000))
        }
    }

    @Test func aBucketBeforeTheHostIsInTheHostHeaderAndNotInThePath() throws {
        let hosts = Mutex<[String]>([])
        let server = ScriptedServer { _, peer in
            while let request = peer.readRequest() {
                hosts.withLock { $0.append((request.headers["host"] ?? "") + request.line) }
                peer.send(Self.head("200 OK", "Content-Length: 8\r\n") + "12345678")
            }
        }
        var configuration = Self.configuration(server.port)
        (configuration.origin, configuration.bucketPath) = ("http://b.localhost:\(server.port)", "")
        let adapter = try S3Adapter.start(configuration, environment: [:])
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        let path = S3KeyName.path(L2ConformanceSuite.key(1))
        let found = hosts.withLock { $0 }
        #expect(found == ["b.localhost:\(server.port)GET \(path) HTTP/1.1"])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func throttledRequestsAreRepeatedLaterAndLater() throws {
        let times = Mutex<[L2Instant]>([])
        let server = ScriptedServer { _, peer in
            while peer.readRequest() != nil {
                let count = times.withLock { times in
                    times.append(MonotonicL2Clock().now())
                    return times.count
                }
                peer.send(
                    count < 4
                        ? Self.head("503 Slow Down", "Content-Length: 0\r\n")
                        : Self.head("200 OK", "Content-Length: 8\r\n") + "12345678")
            }
        }
        let messages = Messages()
        let adapter = try Self.adapter(server.port, log: messages.log)
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        let found = times.withLock { $0.map { $0.nanoseconds / 1_000_000 } }
        #expect(found.count == 4)
        #expect(found[1] - found[0] >= 24 && found[2] - found[1] >= 49 && found[3] - found[2] >= 99)
        #expect(messages.all == [])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aDeadlineEndsARequestAndItsRepetitions() throws {
        let server = ScriptedServer { _, peer in
            while peer.readRequest() != nil { _ = peer.read(1) }
        }
        let adapter = try Self.adapter(server.port)
        let soon = MonotonicL2Clock().now().advanced(milliseconds: 100)
        let result = adapter.perform(.load([Self.object()]), deadline: soon)
        #expect(result == [.failed(.unavailable)] || result == [.failed(.expired)])
        #expect(MonotonicL2Clock().now() < soon.advanced(milliseconds: 5000))
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aServiceThatIsNotThereFailsAtOnceAndIsFoundWhenItComes() throws {
        let port = ScriptedServer { _, _ in }.port
        let messages = Messages()
        let adapter = try Self.adapter(port, log: messages.log)
        for _ in 0..<20 { #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)]) }
        #expect(messages.all.count == 1)
        let server = ScriptedServer(port: port) { _, peer in Self.serve(peer) }
        let limit = MonotonicL2Clock().now().advanced(milliseconds: 30_000)
        while adapter.perform(.load([Self.object()])) != [.done(byteCount: 8)], MonotonicL2Clock().now() < limit {}
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        #expect(messages.all.count == 2)
        #expect(adapter.close(milliseconds: 10_000))
        server.stop()
    }

    @Test func aRedirectionIsFollowedAndSignedAnew() throws {
        let hosts = Mutex<[String]>([])
        let goal = ScriptedServer { _, peer in
            while let request = peer.readRequest() {
                hosts.withLock { $0.append(request.headers["host"] ?? "") }
                peer.send(Self.head("200 OK", "Content-Length: 8\r\n") + "12345678")
            }
        }
        let port = goal.port
        let first = ScriptedServer { _, peer in
            while peer.readRequest() != nil {
                peer.send(
                    Self.head(
                        "307 Temporary Redirect",
                        "Location: http://localhost:\(port)/elsewhere\r\nContent-Length: 0\r\n"))
            }
        }
        let adapter = try Self.adapter(first.port)
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        let found = hosts.withLock { $0 }
        #expect(found == ["localhost:\(port)"])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func servicesThatPointAtThemselvesForEverFail() throws {
        let server = ScriptedServer { _, peer in
            while let request = peer.readRequest() {
                peer.send(
                    Self.head("307 Go", "Location: http://\(request.headers["host"] ?? "")/\r\nContent-Length: 0\r\n"))
            }
        }
        let adapter = try Self.adapter(server.port)
        #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aStoreLooksFirstAndSendsWhatTheOriginalSends() throws {
        let requests = Mutex<[ScriptedPeer.Request]>([])
        let server = ScriptedServer { _, peer in
            while let request = peer.readRequest() {
                requests.withLock { $0.append(request) }
                peer.send(Self.head(request.line.hasPrefix("HEAD") ? "404 No" : "200 OK", "Content-Length: 0\r\n"))
            }
        }
        let key = ObjectKey(
            chunkHash: ChunkHash(words: (0x0011_2233_4455_6677, 1, 2, 3)), modelName: "meta-llama/Llama-3.1-8B",
            kvRank: KVRank(worldSize: 2, rank: 1), objectGroup: 0, cacheSalt: "tenant é")
        let adapter = try Self.adapter(server.port)
        #expect(
            adapter.perform(.store([L2Object(key: key, buffer: L2Buffer(copying: Array("12345678".utf8)))]))
                == [.done(byteCount: 8)])
        let found = requests.withLock { $0 }
        let path =
            "/b/meta-llama/Llama-3.1-8B%4002010201%400%400011223344556677000000000000000100000000000000020000000000000003%40tenant%20%C3%A9"
        #expect(found.map(\.line) == ["HEAD \(path) HTTP/1.1", "PUT \(path) HTTP/1.1"])
        #expect(found[1].body == Array("12345678".utf8))
        #expect(found[1].headers["content-type"] == "application/octet-stream")
        #expect(found[1].headers["content-length"] == "8")
        #expect(found[1].headers["x-amz-meta-lmcache-crc32c"] == "6087809a")
        #expect(found[1].headers["expect"] == nil)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test(arguments: [
        ("200 OK", "<Error><Code>InternalError</Code></Error>", L2Result.failed(.unavailable)),
        ("507 Insufficient Storage", "", .failed(.full)), ("403 Forbidden", "", .failed(.unavailable)),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", .failed(.unavailable)),
        ("200 OK", "", .done(byteCount: 8)),
    ])
    func aStoreThatIsRefusedFails(_ status: String, _ body: String, _ result: L2Result) throws {
        let server = ScriptedServer { _, peer in
            while let request = peer.readRequest() {
                peer.send(
                    request.line.hasPrefix("HEAD")
                        ? Self.head("404 No", "Content-Length: 0\r\n")
                        : Self.head(status, "Content-Length: \(body.utf8.count)\r\n") + body)
            }
        }
        let adapter = try Self.adapter(server.port)
        #expect(adapter.perform(.store([Self.object()])) == [result])
        #expect(adapter.usage().usedBytes == (result.isSuccess ? 8 : 0))
        #expect(adapter.close(milliseconds: 10_000))
    }

    /// An upload is cut after every possible number of bytes; nothing is counted and the next try succeeds.
    @Test func uploadsThatAreCutAnywhereFailOrAreRepeated() throws {
        for length in [0, 1, 1000, 200_000] {
            let server = ScriptedServer { number, peer in
                guard number > 1 else {
                    guard peer.read(until: "\r\n\r\n")?.hasPrefix("HEAD") == true else { return }
                    peer.send(Self.head("404 No", "Content-Length: 0\r\n"))
                    _ = peer.read(until: "\r\n\r\n")
                    _ = peer.read(length)
                    peer.reset()
                    return
                }
                while let request = peer.readRequest() {
                    peer.send(
                        Self.head(request.line.hasPrefix("HEAD") ? "404 No" : "200 OK", "Content-Length: 0\r\n"))
                }
            }
            let adapter = try Self.adapter(server.port)
            let object = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 400_000))
            #expect(adapter.perform(.store([object])) == [.done(byteCount: 400_000)])
            #expect(adapter.close(milliseconds: 10_000))
        }
    }

    @Test(arguments: [
        "", "<Error/>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a",
    ])
    func listingsThatMakeNoSenseFail(_ body: String) throws {
        let server = ScriptedServer { _, peer in
            while peer.readRequest() != nil {
                peer.send(Self.head("200 OK", "Content-Length: \(body.utf8.count)\r\n") + body)
            }
        }
        let adapter = try Self.adapter(server.port)
        #expect(adapter.page(L2ListQuery()) == .failure(.unavailable))
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aServiceThatNeverAnswersTheCountKeepsNobodyFromClosing() throws {
        let server = ScriptedServer { _, peer in
            while peer.readRequest() != nil { _ = peer.read(1) }
        }
        var configuration = Self.configuration(server.port)
        configuration.countsUsage = true
        let messages = Messages()
        let adapter = try S3Adapter.start(configuration, environment: [:], log: messages.log)
        #expect(adapter.usage().completeness == .counting)
        let limit = MonotonicL2Clock().now().advanced(milliseconds: 10_000)
        while server.accepted == 0, MonotonicL2Clock().now() < limit {}
        let started = MonotonicL2Clock().now()
        #expect(adapter.close(milliseconds: 10_000))
        #expect(MonotonicL2Clock().now() < started.advanced(milliseconds: 5000))
        #expect(messages.all == [])
    }

    @Test func withoutCredentialsNothingIsSentAndOneLineSaysSo() throws {
        let server = ScriptedServer { _, peer in Self.serve(peer) }
        var configuration = Self.configuration(server.port)
        (configuration.accessKey, configuration.secretKey) = (nil, nil)
        let messages = Messages()
        let environment = ["AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"]
        let adapter = try S3Adapter.start(configuration, environment: environment, log: messages.log)
        for _ in 0..<3 { #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)]) }
        #expect(server.accepted == 0)
        #expect(messages.all.count == 1)
        #expect(messages.all.first?.contains("no credentials") == true)
        #expect(adapter.close(milliseconds: 10_000))
    }

    // MARK: Parts

    private static func configuration(_ port: UInt16) -> S3Configuration {
        var configuration = S3Configuration(origin: "http://127.0.0.1:\(port)", bucketPath: "/b", region: "us-east-1")
        (configuration.accessKey, configuration.secretKey) = ("k", "s")
        configuration.workers = 1
        return configuration
    }

    private static func adapter(_ port: UInt16, log: L2Log = .none) throws -> ThreadedL2Adapter {
        try S3Adapter.start(Self.configuration(port), environment: [:], log: log)
    }

    private static func object() -> L2Object {
        L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 8))
    }

    @Sendable private static func serve(_ peer: ScriptedPeer) {
        while peer.readRequest() != nil { peer.send(Self.head("200 OK", "Content-Length: 8\r\n") + "12345678") }
    }
}

extension ScriptedPeer {
    struct Request: Sendable {
        var line: String
        var headers: [String: String]
        var body: [UInt8]
    }

    /// Takes one request, or nil when the other side has ended.
    func readRequest() -> Request? {
        guard let head = self.read(until: "\r\n\r\n") else { return nil }
        var lines = head.split(separator: "\r\n").map(String.init)
        let line = lines.removeFirst()
        var headers: [String: String] = [:]
        for one in lines {
            guard let colon = one.firstIndex(of: ":") else { continue }
            headers[one[..<colon].lowercased()] = String(one[one.index(after: colon)...].drop { $0 == " " })
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        guard let body = self.read(length) else { return nil }
        return Request(line: line, headers: headers, body: body)
    }
}
