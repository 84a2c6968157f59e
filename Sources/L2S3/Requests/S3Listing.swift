// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel
internal import L2Storage

/// Lists a bucket's objects, a page at a time.
///
/// Source: "ListObjectsV2" of the S3 reference.
struct S3Listing: Sendable {
    /// Most keys that services list at once.
    static let limit = 1000

    let bucket: S3Bucket

    struct Page: Sendable {
        var objects: [Listed]
        var next: String?

        var counted: UsageCounter.Page {
            UsageCounter.Page(
                objects: self.objects.compactMap { object in
                    object.byteCount.map { byteCount in
                        UsageCounter.Counted(
                            key: object.key, byteCount: byteCount, lastUse: Int64(object.changed?.seconds ?? 0))
                    }
                }, next: self.next)
        }
    }

    struct Listed: Sendable {
        let key: ObjectKey
        /// Nil where the service does not say it.
        let byteCount: Int?
        let changed: CivilTime?
    }

    /// - Parameters:
    ///   - modelName: Only this model's, or nil for all.
    ///   - isCancelled: Whether nobody waits for it any more.
    func page(
        modelName: String? = nil, limit: Int = Self.limit, cursor: String?, deadline: L2Instant?,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) -> Result<Page, L2Failure> {
        let model = modelName.map { $0 + "@" } ?? ""
        var query = [
            ("list-type", "2"), ("max-keys", String(min(limit, Self.limit))),
            ("prefix", self.bucket.configuration.namePrefix + model),
        ]
        if let cursor { query.append(("continuation-token", cursor)) }
        var request = self.bucket.request("GET", name: nil, query: query)
        request.isCancelled = isCancelled
        guard case .reply(let reply) = self.bucket.send(request, deadline), reply.status == 200,
            let result = XMLText(reply.body).first("ListBucketResult")
        else { return .failure(.unavailable) }
        let isCut = result.first("IsTruncated")?.text == "true"
        let next = isCut ? result.first("NextContinuationToken")?.text : nil
        guard !isCut || next?.isEmpty == false, next == nil || next != cursor else { return .failure(.unavailable) }
        return .success(Page(objects: result.all("Contents").prefix(limit).compactMap(self.listed), next: next))
    }

    private func listed(_ entry: XMLText) -> Listed? {
        guard let key = entry.first("Key").flatMap({ self.bucket.key($0.text) }) else { return nil }
        let byteCount = (entry.first("Size")?.text).flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        return Listed(
            key: key, byteCount: byteCount, changed: (entry.first("LastModified")?.text).flatMap { CivilTime($0) })
    }
}
