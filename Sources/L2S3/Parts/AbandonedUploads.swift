// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import Synchronization

/// An upload in parts that has begun.
struct PartedUpload: Sendable, Equatable {
    /// The object's name in the bucket.
    let name: String
    let id: String
}

/// Ends uploads that came to nothing, and remembers those whose end the service did not confirm. Any thread.
///
/// Lock: one, around the list; no call is made under it.
final class AbandonedUploads: Sendable {
    private let bucket: S3Bucket
    private let clock: any L2Clock
    private let now: @Sendable () -> CivilTime
    private let left = Mutex<[PartedUpload]>([])
    private let hasSwept = Atomic<Bool>(false)

    /// What is beyond this is left to the service's own rules.
    private static let limit = 1024
    private static let retriesAtOnce = 4
    private static let milliseconds: UInt64 = 5000
    /// No store takes this long, in seconds.
    private static let staleAge = 86_400

    init(bucket: S3Bucket, clock: any L2Clock, now: @escaping @Sendable () -> CivilTime = { CivilTime.now() }) {
        self.bucket = bucket
        self.clock = clock
        self.now = now
    }

    /// How long requests take that must not be given up with their caller.
    func soon() -> L2Instant { self.clock.now().advanced(milliseconds: Self.milliseconds) }

    /// Uploads whose parts the service may still keep.
    var count: Int { self.left.withLock { $0.count } }

    /// Ends an upload now, whatever deadline its store had, or later.
    func abort(_ upload: PartedUpload) {
        guard !self.end(upload) else { return }
        self.left.withLock { left in
            if left.count < Self.limit { left.append(upload) }
        }
    }

    /// Tries again for a few; the first time, ends what servers that were killed have left.
    func retry() {
        if !self.hasSwept.exchange(true, ordering: .relaxed) { self.sweep() }
        let taken = self.left.withLock { left in
            defer { left.removeFirst(min(left.count, Self.retriesAtOnce)) }
            return left.prefix(Self.retriesAtOnce)
        }
        for upload in taken { self.abort(upload) }
    }

    /// Ends uploads of our objects that began more than a day ago.
    private func sweep() {
        let request = self.bucket.request(
            "GET", name: nil, query: [("uploads", ""), ("prefix", self.bucket.configuration.namePrefix)])
        guard case .reply(let reply) = self.bucket.send(request, self.soon()), reply.status == 200 else { return }
        let oldest = self.now().seconds - Self.staleAge
        for upload in XMLText(reply.body).all("Upload") {
            guard let name = upload.first("Key")?.text, self.bucket.key(name) != nil,
                let id = upload.first("UploadId")?.text,
                let began = (upload.first("Initiated")?.text).flatMap({ CivilTime($0) }), began.seconds < oldest
            else { continue }
            self.abort(PartedUpload(name: name, id: id))
        }
    }

    /// True when the service keeps nothing of it any more.
    private func end(_ upload: PartedUpload) -> Bool {
        let request = self.bucket.request("DELETE", name: upload.name, query: [("uploadId", upload.id)])
        guard case .reply(let reply) = self.bucket.send(request, self.soon()) else { return false }
        return [200, 204, 404].contains(reply.status)
    }
}
