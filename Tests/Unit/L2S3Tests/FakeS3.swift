// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Synchronization

@testable import L2S3

/// A bucket in memory that knows parts and bulk deletion, and fails when a test says so.
final class FakeS3: HTTPClient {
    /// What happens to a request instead of its answer.
    enum Fault: Sendable, CaseIterable {
        /// It never arrives.
        case lost
        /// It is carried out and its answer is lost.
        case answerLost
        /// It is refused for the moment.
        case throttled
        /// It is refused for good.
        case denied
        /// Status 200 with an error behind it, and nothing is done.
        case lateError
    }

    struct Object: Sendable, Equatable {
        var bytes: [UInt8]
        var headers: [String: String]
        var tag: String
    }

    struct Upload: Sendable {
        var name: String
        var headers: [String: String] = [:]
        var parts: [Int: [UInt8]] = [:]
        var began = "2100-01-01T00:00:00.000Z"
    }

    struct State: Sendable {
        var objects: [String: Object] = [:]
        var uploads: [String: Upload] = [:]
        var requests: [HTTPRequest] = []
        var lastNumber = 0
    }

    /// By the request's number from 0; nil lets it through.
    typealias Faults = @Sendable (Int, HTTPRequest) -> Fault?

    let state = Mutex(State())
    private let faults: Faults
    private let knowsRanges: Bool
    private let knowsBulkDeletion: Bool

    init(knowsRanges: Bool = true, knowsBulkDeletion: Bool = true, faults: @escaping Faults = { _, _ in nil }) {
        self.knowsRanges = knowsRanges
        self.knowsBulkDeletion = knowsBulkDeletion
        self.faults = faults
    }

    var requests: [HTTPRequest] { self.state.withLock { $0.requests } }
    var objects: [String: Object] { self.state.withLock { $0.objects } }
    var openUploads: Int { self.state.withLock { $0.uploads.count } }

    func perform(_ request: HTTPRequest, timeout: HTTPTimeout) -> HTTPOutcome {
        let number = self.state.withLock { state in
            state.requests.append(request)
            return state.requests.count - 1
        }
        switch self.faults(number, request) {
        case nil: return self.answer(request)
        case .lost: return .failed(code: 7, words: "lost")
        case .answerLost:
            _ = self.answer(request)
            return .failed(code: 52, words: "no answer")
        case .throttled: return ScriptedClient.reply(503, "<Error><Code>SlowDown</Code></Error>")
        case .denied: return ScriptedClient.reply(403, "<Error><Code>AccessDenied</Code></Error>")
        case .lateError:
            guard request.method == "POST" || request.method == "PUT" else { return ScriptedClient.reply(404) }
            return ScriptedClient.reply(200, "<Error><Code>InternalError</Code></Error>")
        }
    }

    private func answer(_ request: HTTPRequest) -> HTTPOutcome {
        let query = Dictionary(
            request.query.split(separator: "&").map { field in
                let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }, uniquingKeysWith: { $1 })
        return self.state.withLock { state in
            switch request.method {
            case "HEAD", "GET": self.read(request, query, &state)
            case "PUT": Self.write(request, query, &state)
            case "POST": self.post(request, query, &state)
            default: Self.delete(request, query, &state)
            }
        }
    }

    private func read(_ request: HTTPRequest, _ query: [String: String], _ state: inout State) -> HTTPOutcome {
        if query["list-type"] != nil { return Self.list(query, state) }
        if query["uploads"] != nil {
            let entries = state.uploads.map { id, upload in
                let name = upload.name.dropFirst("/b/".count).replacing("%40", with: "@")
                return
                    "<Upload><Initiated>\(upload.began)</Initiated><Key>\(name)</Key><UploadId>\(id)</UploadId></Upload>"
            }
            return ScriptedClient.reply(200, "<R>\(entries.joined())</R>")
        }
        guard let object = state.objects[request.path] else { return ScriptedClient.reply(404) }
        var headers = object.headers
        headers["etag"] = object.tag
        headers["content-length"] = String(object.bytes.count)
        guard let destination = request.destination else { return ScriptedClient.reply(200, headers: headers) }
        guard let part = request.part, self.knowsRanges else {
            if request.part != nil { return ScriptedClient.reply(200, headers: headers) }
            guard object.bytes.count == destination.byteCount else { return .wrongLength(found: object.bytes.count) }
            destination.bytes.copyBytes(from: object.bytes)
            let checksum = object.bytes.withUnsafeBytes { L2Checksum.of($0) }
            return .reply(HTTPReply(status: 200, headers: headers, body: [], checksum: checksum))
        }
        guard part.range.lowerBound < object.bytes.count else {
            return ScriptedClient.reply(416, headers: ["content-range": "bytes */\(object.bytes.count)"])
        }
        guard object.bytes.count == part.total else { return .wrongLength(found: object.bytes.count) }
        destination.bytes.copyBytes(from: object.bytes[part.range])
        return ScriptedClient.reply(206, headers: headers)
    }

    private static func list(_ query: [String: String], _ state: State) -> HTTPOutcome {
        let names = state.objects.keys.sorted().filter { $0 > query["continuation-token"] ?? "" }
        let limit = query["max-keys"].flatMap { Int($0) } ?? 1000
        let entries = names.prefix(limit).map { path in
            let name = path.dropFirst("/b/".count).replacing("%40", with: "@")
            let size = state.objects[path]?.bytes.count ?? 0
            return "<Contents><Key>\(name)</Key><Size>\(size)</Size></Contents>"
        }
        let next = names.count > limit ? "<NextContinuationToken>\(names[limit - 1])</NextContinuationToken>" : ""
        return ScriptedClient.reply(
            200,
            "<ListBucketResult><IsTruncated>\(names.count > limit)</IsTruncated>\(next)\(entries.joined())</ListBucketResult>"
        )
    }

    private static func write(
        _ request: HTTPRequest, _ query: [String: String], _ state: inout State
    ) -> HTTPOutcome {
        let bytes = Self.content(request.body)
        state.lastNumber += 1
        guard let id = query["uploadId"] else {
            state.objects[request.path] = Object(
                bytes: bytes, headers: Self.kept(request), tag: "\"\(state.lastNumber)\"")
            return ScriptedClient.reply(200)
        }
        guard let number = query["partNumber"].flatMap({ Int($0) }), state.uploads[id] != nil else {
            return ScriptedClient.reply(404, "<Error><Code>NoSuchUpload</Code></Error>")
        }
        state.uploads[id]?.parts[number] = bytes
        return ScriptedClient.reply(200, headers: ["etag": "\"part-\(number)\""])
    }

    private func post(_ request: HTTPRequest, _ query: [String: String], _ state: inout State) -> HTTPOutcome {
        state.lastNumber += 1
        if query["uploads"] != nil {
            let id = "upload\(state.lastNumber)"
            state.uploads[id] = Upload(name: request.path, headers: Self.kept(request))
            return ScriptedClient.reply(200, "<R><UploadId>\(id)</UploadId></R>")
        }
        let body = XMLText(Self.content(request.body))
        if let id = query["uploadId"] {
            guard let upload = state.uploads[id] else {
                return ScriptedClient.reply(404, "<Error><Code>NoSuchUpload</Code></Error>")
            }
            let numbers = body.all("PartNumber").compactMap { Int($0.text) }
            let tags = body.all("ETag").map(\.text)
            guard tags == numbers.map({ "\"part-\($0)\"" }), numbers.sorted() == upload.parts.keys.sorted() else {
                return ScriptedClient.reply(400, "<Error><Code>InvalidPart</Code></Error>")
            }
            state.uploads[id] = nil
            state.objects[upload.name] = Object(
                bytes: numbers.flatMap { upload.parts[$0] ?? [] }, headers: upload.headers,
                tag: "\"\(state.lastNumber)\"")
            return ScriptedClient.reply(200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
        }
        guard self.knowsBulkDeletion, query["delete"] != nil else { return ScriptedClient.reply(501) }
        let names = body.all("Key").map(\.text)
        for name in names { state.objects["/b/" + PercentEncoding.encoded(name, keeping: "/")] = nil }
        let entries = names.map { "<Deleted><Key>\(XMLText.escaped($0))</Key></Deleted>" }
        return ScriptedClient.reply(200, "<DeleteResult>\(entries.joined())</DeleteResult>")
    }

    private static func delete(
        _ request: HTTPRequest, _ query: [String: String], _ state: inout State
    ) -> HTTPOutcome {
        if let id = query["uploadId"] {
            return ScriptedClient.reply(state.uploads.removeValue(forKey: id) == nil ? 404 : 204)
        }
        state.objects[request.path] = nil
        return ScriptedClient.reply(204)
    }

    private static func content(_ body: HTTPRequest.Body) -> [UInt8] {
        switch body {
        case .none: []
        case .bytes(let bytes): bytes
        case .buffer(let buffer): buffer.content
        }
    }

    private static func kept(_ request: HTTPRequest) -> [String: String] {
        Dictionary(
            request.headers.filter { $0.name.hasPrefix("x-amz-meta-") }.map { ($0.name, $0.value) },
            uniquingKeysWith: { $1 })
    }
}

extension FakeS3 {
    /// A medium over this bucket, with small parts; pauses between tries are short only where a clock of its own ticks.
    func medium(workers: Int = 4, capacityBytes: Int? = nil, clock: any L2Clock = MonotonicL2Clock()) -> S3Medium {
        var configuration = S3Configuration(origin: "http://h", bucketPath: "/b", region: "us-east-1")
        (configuration.accessKey, configuration.secretKey) = ("k", "s")
        (configuration.partBytes, configuration.partedBytes) = (100, 250)
        configuration.workers = workers
        configuration.capacityBytes = capacityBytes
        let credentials = CredentialsChain(S3Adapter.sources(configuration, [:], client: self))
        let service = S3Service(
            configuration, client: self, credentials: credentials, clock: clock, log: .none, random: { 0 })
        return S3Medium(configuration, service: service, clock: clock)
    }
}
