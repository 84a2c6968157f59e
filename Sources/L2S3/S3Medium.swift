// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage

/// Objects of a bucket, with the names and bytes of LMCache 0.5.6's `s3`.
///
/// The bucket is the truth; an object is visible once the service has all of it.
package final class S3Medium: L2PipelinedMedium {
    package let configuration: S3Configuration
    private let service: S3Service
    private let accounts: ObjectAccounts
    private let models = BoundModels()

    /// One request after another on each thread.
    package let exchangeLimits = (items: 1, bytes: Int.max)

    /// The header that carries an object's CRC-32C, in eight hexadecimal digits.
    static let checksumHeader = "x-amz-meta-lmcache-crc32c"
    /// Most keys that services list at once.
    private static let listLimit = 1000

    init(_ configuration: S3Configuration, service: S3Service) {
        self.configuration = configuration
        self.service = service
        self.accounts = ObjectAccounts(capacityBytes: configuration.capacityBytes)
    }

    package func perform(_ operation: L2Operation, deadline: L2Instant?, report: (Int, L2Result) -> Void) {
        for (index, key) in operation.keys.enumerated() {
            guard NativeKeyName.isSpellable(key) else {
                report(index, .failed(.unspellable))
                continue
            }
            if self.models.isForeign(key.modelName) {
                report(index, .miss(.otherLayout))
                continue
            }
            switch operation {
            case .store(let objects): report(index, self.store(objects[index], deadline))
            case .lookup(let probes): report(index, self.lookup(probes[index], deadline))
            case .load(let objects): report(index, self.load(objects[index], deadline))
            case .delete(let keys): report(index, self.delete(keys[index], deadline))
            }
        }
    }

    package func store(_ object: L2Object) -> L2Result { self.single(.store([object])) }
    package func lookup(_ probe: L2Probe) -> L2Result { self.single(.lookup([probe])) }
    package func load(_ object: L2Object) -> L2Result { self.single(.load([object])) }
    package func delete(_ key: ObjectKey) -> L2Result { self.single(.delete([key])) }

    package func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        let model = query.modelName.map { $0 + "@" } ?? ""
        var fields = [
            ("list-type", "2"), ("max-keys", String(min(query.limit, Self.listLimit))),
            ("prefix", self.configuration.namePrefix + model),
        ]
        if let cursor = query.cursor { fields.append(("continuation-token", cursor)) }
        var request = self.request(
            "GET", path: self.configuration.bucketPath.isEmpty ? "/" : self.configuration.bucketPath)
        request.query = fields.map { "\($0.0)=\(PercentEncoding.encoded($0.1))" }.joined(separator: "&")
        guard case .reply(let reply) = self.service.send(request, deadline: query.deadline), reply.status == 200 else {
            return .failure(.unavailable)
        }
        let text = XMLText(reply.body)
        guard let result = text.first("ListBucketResult") else { return .failure(.unavailable) }
        let keys = result.all("Contents").prefix(query.limit).compactMap { self.key($0.first("Key")?.text) }
        let isCut = result.first("IsTruncated")?.text == "true"
        let next = isCut ? result.first("NextContinuationToken")?.text : nil
        guard !isCut || next?.isEmpty == false, next == nil || next != query.cursor else {
            return .failure(.unavailable)
        }
        return .success(L2Page(keys: keys, next: next))
    }

    package func usage() -> L2Usage { self.accounts.usage() }

    package func leastRecent(limit: Int) -> [ObjectKey] { self.accounts.leastRecent(limit: limit) }

    package func shutDown() { self.service.close() }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        let path = self.path(self.configuration.namePrefix + "lmcache-manifest@" + manifest.modelName)
        // Of two servers that write at once the later one wins; the other one finds out when it reads again.
        for isLast in [false, true] {
            guard case .reply(let reply) = self.service.send(self.request("GET", path: path), deadline: nil) else {
                break
            }
            if reply.status == 200 {
                self.models.note(manifest.modelName, agrees: reply.body == manifest.bytes)
                return reply.body == manifest.bytes ? .agrees : .conflicts
            }
            guard reply.status == 404, !isLast else { break }
            var put = self.request("PUT", path: path)
            put.headers.append(("content-type", "application/json"))
            put.body = .bytes(manifest.bytes)
            guard case .reply(let made) = self.service.send(put, deadline: nil), made.status == 200 else { break }
        }
        return .failed(.unavailable)
    }

    // MARK: Operations

    private func lookup(_ probe: L2Probe, _ deadline: L2Instant?) -> L2Result {
        let request = self.request("HEAD", path: self.path(probe.key))
        guard case .reply(let reply) = self.service.send(request, deadline: deadline) else {
            return .failed(.unavailable)
        }
        switch reply.status {
        case 200:
            guard let length = reply.contentLength else { return .failed(.unavailable) }
            return length == probe.byteCount ? .done(byteCount: length) : .miss(.wrongLength(found: length))
        case 404:
            self.accounts.forget(probe.key)
            return .miss(.absent)
        default: return .failed(.unavailable)
        }
    }

    private func load(_ object: L2Object, _ deadline: L2Instant?) -> L2Result {
        let byteCount = object.buffer.byteCount
        var request = self.request("GET", path: self.path(object.key))
        request.destination = object.buffer
        switch self.service.send(request, deadline: deadline) {
        case .unavailable: return .failed(.unavailable)
        case .wrongLength(let found): return .miss(.wrongLength(found: found))
        case .reply(let reply):
            switch reply.status {
            case 200:
                guard self.isSound(reply) else {
                    // As long as it is there no store replaces it; one that stays is missed again.
                    _ = self.service.send(self.request("DELETE", path: self.path(object.key)), deadline: deadline)
                    return .miss(.corrupted)
                }
                self.accounts.note(object.key, byteCount: byteCount)
                return .done(byteCount: byteCount)
            case 404:
                self.accounts.forget(object.key)
                return .miss(.absent)
            default: return .failed(.unavailable)
            }
        }
    }

    private func store(_ object: L2Object, _ deadline: L2Instant?) -> L2Result {
        let byteCount = object.buffer.byteCount
        let replaced: Int
        switch self.lookup(L2Probe(key: object.key, byteCount: byteCount), deadline) {
        case .done:
            self.accounts.note(object.key, byteCount: byteCount)
            return .present(byteCount: byteCount)
        case .miss(.absent): replaced = 0
        case .miss(.wrongLength(let found)): replaced = found
        case let other: return other
        }
        guard self.accounts.claim(byteCount, replacing: replaced) else { return .failed(.full) }
        defer { self.accounts.unclaim(byteCount) }
        var request = self.request("PUT", path: self.path(object.key))
        request.headers.append(("content-type", "application/octet-stream"))
        if self.configuration.usesChecksums {
            request.headers.append((Self.checksumHeader, L2Checksum.text(of: object.buffer)))
        }
        request.body = .buffer(object.buffer)
        guard case .reply(let reply) = self.service.send(request, deadline: deadline) else {
            return .failed(.unavailable)
        }
        // Some services answer a failed request with status 200 and an error in the body.
        guard reply.status == 200, XMLText(reply.body).first("Error") == nil else {
            return .failed(reply.status == 507 ? .full : .unavailable)
        }
        self.accounts.note(object.key, byteCount: byteCount)
        return .done(byteCount: byteCount)
    }

    private func delete(_ key: ObjectKey, _ deadline: L2Instant?) -> L2Result {
        // The service tells no difference between what it removed and what was never there.
        let length: Int
        switch self.lookup(L2Probe(key: key, byteCount: 0), deadline) {
        case .done(let byteCount), .miss(.wrongLength(let byteCount)): length = byteCount
        case let other: return other
        }
        guard
            case .reply(let reply) = self.service.send(self.request("DELETE", path: self.path(key)), deadline: deadline),
            [200, 204, 404].contains(reply.status)
        else { return .failed(.unavailable) }
        self.accounts.forget(key)
        return .done(byteCount: length)
    }

    private func isSound(_ reply: HTTPReply) -> Bool {
        guard self.configuration.usesChecksums, let stored = reply.headers[Self.checksumHeader],
            let found = reply.checksum
        else { return true }
        return L2Checksum.text(found) == stored.lowercased()
    }

    // MARK: Names

    private func path(_ key: ObjectKey) -> String {
        self.path(self.configuration.namePrefix + S3KeyName.spelled(key))
    }

    private func path(_ name: String) -> String {
        self.configuration.bucketPath + "/" + PercentEncoding.encoded(name, keeping: "/")
    }

    private func key(_ name: String?) -> ObjectKey? {
        guard let name, name.hasPrefix(self.configuration.namePrefix) else { return nil }
        return S3KeyName.parsed(String(name.dropFirst(self.configuration.namePrefix.count)))
    }

    private func request(_ method: String, path: String) -> HTTPRequest {
        HTTPRequest(method: method, origin: self.configuration.origin, path: path)
    }

    private func single(_ operation: L2Operation) -> L2Result {
        var result = L2Result.failed(.unavailable)
        self.perform(operation, deadline: nil) { result = $1 }
        return result
    }
}

extension S3Configuration {
    /// What stands before every object's name.
    var namePrefix: String { self.prefix.isEmpty ? "" : self.prefix + "/" }
}
