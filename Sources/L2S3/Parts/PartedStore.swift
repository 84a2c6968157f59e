// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel
internal import L2Storage
internal import Synchronization

/// Stores one object in parts, several at once. It becomes visible as a whole, or not at all.
///
/// Source: "Multipart upload" of the S3 reference.
struct PartedStore: Sendable {
    let bucket: S3Bucket
    let pool: PartPool
    let abandoned: AbandonedUploads

    /// Longest name of an upload that is believed.
    private static let nameLimit = 2048

    /// - Returns: Whether it is stored, or why not.
    func store(_ object: L2Object, deadline: L2Instant?) -> Result<Void, L2Failure> {
        self.abandoned.retry()
        switch self.begin(object) {
        case .failure(let failure): return .failure(failure)
        case .success(let upload):
            let result = self.send(object, upload, deadline)
            // Parts are kept, and paid for, until somebody ends the upload.
            if case .failure = result { self.abandoned.abort(upload) }
            return result
        }
    }

    /// Has a deadline of its own: an upload that begins after its caller has gone would have no name here.
    private func begin(_ object: L2Object) -> Result<PartedUpload, L2Failure> {
        var request = self.bucket.request("POST", object.key, query: [("uploads", "")])
        request.headers += self.bucket.headers(for: object.buffer)
        guard case .reply(let reply) = self.bucket.send(request, self.abandoned.soon()) else {
            return .failure(.unavailable)
        }
        guard reply.status == 200, let id = XMLText(reply.body).first("UploadId")?.text,
            1...Self.nameLimit ~= id.utf8.count
        else { return .failure(reply.status == 507 ? .full : .unavailable) }
        return .success(PartedUpload(name: self.bucket.name(object.key), id: id))
    }

    private func send(
        _ object: L2Object, _ upload: PartedUpload, _ deadline: L2Instant?
    ) -> Result<Void, L2Failure> {
        let plan = PartPlan(byteCount: object.buffer.byteCount, partBytes: self.bucket.configuration.partBytes)
        let tags = Tags(count: plan.ranges.count)
        let isSent = self.pool.run(plan.ranges.count) { number in
            var request = self.bucket.request(
                "PUT", name: upload.name, query: [("partNumber", String(number + 1)), ("uploadId", upload.id)])
            request.body = .buffer(object.buffer.part(plan.ranges[number]))
            guard case .reply(let reply) = self.bucket.send(request, deadline) else { return tags.fail(.unavailable) }
            guard reply.status == 200, let tag = reply.headers["etag"], !tag.isEmpty else {
                return tags.fail(reply.status == 507 ? .full : .unavailable)
            }
            return tags.note(tag, number)
        }
        guard isSent else { return .failure(tags.failure) }
        return self.complete(object, upload, tags.all, deadline)
    }

    private func complete(
        _ object: L2Object, _ upload: PartedUpload, _ tags: [String], _ deadline: L2Instant?
    ) -> Result<Void, L2Failure> {
        var request = self.bucket.request("POST", name: upload.name, query: [("uploadId", upload.id)])
        let parts = tags.enumerated().map {
            "<Part><PartNumber>\($0.offset + 1)</PartNumber><ETag>\(XMLText.escaped($0.element))</ETag></Part>"
        }
        request.headers.append(("content-type", "application/xml"))
        request.body = .bytes(
            Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8))
        guard case .reply(let reply) = self.bucket.send(request, deadline) else {
            return self.isThere(object, deadline) ? .success(()) : .failure(.unavailable)
        }
        let answer = XMLText(reply.body)
        // A failure may come with status 200, long after the header.
        if reply.status == 200, answer.first("Error") == nil { return .success(()) }
        // Of a repeated request the first may have done it.
        if reply.status == 404, self.isThere(object, deadline) { return .success(()) }
        return .failure(reply.status == 507 ? .full : .unavailable)
    }

    /// Whether the object is there with this length and checksum.
    private func isThere(_ object: L2Object, _ deadline: L2Instant?) -> Bool {
        guard case .reply(let reply) = self.bucket.send(self.bucket.request("HEAD", object.key), deadline),
            reply.status == 200, reply.contentLength == object.buffer.byteCount
        else { return false }
        return self.bucket.isSound(
            reply.headers[S3Bucket.checksumHeader], L2Checksum.of(UnsafeRawBufferPointer(object.buffer.bytes)))
    }

    /// What the service says of each part.
    private final class Tags: Sendable {
        private let state: Mutex<(tags: [String], failure: L2Failure?)>

        init(count: Int) { self.state = Mutex((Array(repeating: "", count: count), nil)) }

        var all: [String] { self.state.withLock { $0.tags } }
        var failure: L2Failure { self.state.withLock { $0.failure ?? .unavailable } }

        func note(_ tag: String, _ number: Int) -> Bool {
            self.state.withLock { $0.tags[number] = tag }
            return true
        }

        func fail(_ failure: L2Failure) -> Bool {
            self.state.withLock { state in state.failure = state.failure ?? failure }
            return false
        }
    }
}
