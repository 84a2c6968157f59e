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
    private let left = Mutex<[PartedUpload]>([])

    /// What is beyond this is left to the service's own rules.
    private static let limit = 1024
    private static let retriesAtOnce = 4
    private static let milliseconds: UInt64 = 5000

    init(bucket: S3Bucket, clock: any L2Clock) {
        self.bucket = bucket
        self.clock = clock
    }

    /// Uploads whose parts the service may still keep.
    var count: Int { self.left.withLock { $0.count } }

    /// Ends an upload now, whatever deadline its store had, or later.
    func abort(_ upload: PartedUpload) {
        guard !self.end(upload) else { return }
        self.left.withLock { left in
            if left.count < Self.limit { left.append(upload) }
        }
    }

    /// Tries again for a few.
    func retry() {
        let taken = self.left.withLock { left in
            defer { left.removeFirst(min(left.count, Self.retriesAtOnce)) }
            return left.prefix(Self.retriesAtOnce)
        }
        for upload in taken { self.abort(upload) }
    }

    /// True when the service keeps nothing of it any more.
    private func end(_ upload: PartedUpload) -> Bool {
        let deadline = self.clock.now().advanced(milliseconds: Self.milliseconds)
        let request = self.bucket.request("DELETE", name: upload.name, query: [("uploadId", upload.id)])
        guard case .reply(let reply) = self.bucket.send(request, deadline) else { return false }
        return [200, 204, 404].contains(reply.status)
    }
}
