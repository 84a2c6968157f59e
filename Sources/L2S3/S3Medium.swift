// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage
internal import Synchronization

/// Objects of a bucket, with the names and bytes of LMCache 0.5.6's `s3`.
///
/// The bucket is the truth; an object is visible once the service has all of it.
package final class S3Medium: L2PipelinedMedium {
    package let configuration: S3Configuration
    let bucket: S3Bucket
    let accounts: ObjectAccounts
    let pool: PartPool
    private let service: S3Service
    private let models = BoundModels()
    private let abandoned: AbandonedUploads
    private let deletion: S3Deletion
    private let counter: UsageCounter?
    private let traffic = TrafficGauge()

    /// One request after another on each thread.
    package let exchangeLimits = (items: 1, bytes: Int.max)

    /// Most threads that help with the parts of large objects.
    private static let partThreads = 16

    init(_ configuration: S3Configuration, service: S3Service, clock: any L2Clock) {
        self.configuration = configuration
        self.service = service
        self.bucket = S3Bucket(configuration: configuration, service: service)
        self.accounts = ObjectAccounts(capacityBytes: configuration.capacityBytes)
        self.pool = PartPool(limit: min(configuration.workers, Self.partThreads))
        self.abandoned = AbandonedUploads(bucket: self.bucket, clock: clock)
        self.deletion = S3Deletion(bucket: self.bucket, pool: self.pool)
        guard configuration.countsUsage else {
            self.counter = nil
            return
        }
        let listing = S3Listing(bucket: self.bucket)
        self.counter = UsageCounter(
            accounts: self.accounts, isBusy: { [traffic = self.traffic] in traffic.isBusy },
            page: { cursor, isStopped in
                listing.page(cursor: cursor, deadline: nil, isCancelled: isStopped).map { $0.counted }
            })
        self.counter?.start(name: "l2-s3-count")
    }

    package func exchangeItems(of operation: L2Operation, workers: Int) -> Int {
        if case .delete = operation { S3Deletion.limit } else { 1 }
    }

    package func perform(_ operation: L2Operation, deadline: L2Instant?, report: (Int, L2Result) -> Void) {
        self.traffic.enter()
        defer { self.traffic.leave() }
        var asked: [Int] = []
        for (index, key) in operation.keys.enumerated() {
            if !NativeKeyName.isSpellable(key) {
                report(index, .failed(.unspellable))
            } else if self.models.isForeign(key.modelName) {
                report(index, .miss(.otherLayout))
            } else {
                asked.append(index)
            }
        }
        switch operation {
        case .store(let objects): for index in asked { report(index, self.store(objects[index], deadline)) }
        case .lookup(let probes): for index in asked { report(index, self.lookup(probes[index], deadline)) }
        case .load(let objects): for index in asked { report(index, self.load(objects[index], deadline)) }
        case .delete(let keys):
            for (index, result) in zip(asked, self.delete(asked.map { keys[$0] }, deadline)) { report(index, result) }
        }
    }

    package func store(_ object: L2Object) -> L2Result { self.single(.store([object])) }
    package func lookup(_ probe: L2Probe) -> L2Result { self.single(.lookup([probe])) }
    package func load(_ object: L2Object) -> L2Result { self.single(.load([object])) }
    package func delete(_ key: ObjectKey) -> L2Result { self.single(.delete([key])) }

    package func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        S3Listing(bucket: self.bucket).page(
            modelName: query.modelName, limit: query.limit, cursor: query.cursor, deadline: query.deadline
        ).map { page in
            L2Page(keys: page.objects.map(\.key), next: page.next)
        }
    }

    package func usage() -> L2Usage { self.accounts.usage() }

    package func leastRecent(limit: Int) -> [ObjectKey] { self.accounts.leastRecent(limit: limit) }

    package func shutDown() {
        self.counter?.stop()
        self.service.close()
        self.pool.close()
    }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        let name = self.configuration.namePrefix + "lmcache-manifest@" + manifest.modelName
        // Of two servers that write at once the later one wins; the other one finds out when it reads again.
        for isLast in [false, true] {
            guard case .reply(let reply) = self.bucket.send(self.bucket.request("GET", name: name), nil) else { break }
            if reply.status == 200 {
                self.models.note(manifest.modelName, agrees: reply.body == manifest.bytes)
                return reply.body == manifest.bytes ? .agrees : .conflicts
            }
            guard reply.status == 404, !isLast else { break }
            var put = self.bucket.request("PUT", name: name)
            put.headers.append(("content-type", "application/json"))
            put.body = .bytes(manifest.bytes)
            guard case .reply(let made) = self.bucket.send(put, nil), made.status == 200 else { break }
        }
        return .failed(.unavailable)
    }

    private func single(_ operation: L2Operation) -> L2Result {
        var result = L2Result.failed(.unavailable)
        self.perform(operation, deadline: nil) { result = $1 }
        return result
    }

    // MARK: Lookups and loads

    private func lookup(_ probe: L2Probe, _ deadline: L2Instant?) -> L2Result {
        guard case .reply(let reply) = self.bucket.send(self.bucket.request("HEAD", probe.key), deadline) else {
            return .failed(.unavailable)
        }
        switch reply.status {
        case 200:
            guard let length = reply.contentLength else { return .failed(.unavailable) }
            return length == probe.byteCount ? .done(byteCount: length) : .miss(.wrongLength(found: length))
        case 404: return self.absent(probe.key)
        default: return .failed(.unavailable)
        }
    }

    private func load(_ object: L2Object, _ deadline: L2Instant?) -> L2Result {
        guard object.buffer.byteCount > self.configuration.partedBytes else { return self.loadWhole(object, deadline) }
        switch PartedLoad(bucket: self.bucket, pool: self.pool).load(object, deadline: deadline) {
        case .filled(let checksum):
            let isSound = self.bucket.isSound(
                checksum, L2Checksum.of(UnsafeRawBufferPointer(object.buffer.bytes)))
            return self.loaded(object, isSound: isSound, deadline)
        case .wrongLength(let found): return .miss(.wrongLength(found: found))
        case .absent: return self.absent(object.key)
        case .unavailable: return .failed(.unavailable)
        case .onlyWhole: return self.loadWhole(object, deadline)
        }
    }

    private func loadWhole(_ object: L2Object, _ deadline: L2Instant?) -> L2Result {
        var request = self.bucket.request("GET", object.key)
        request.destination = object.buffer
        switch self.bucket.send(request, deadline) {
        case .unavailable: return .failed(.unavailable)
        case .wrongLength(let found): return .miss(.wrongLength(found: found))
        case .reply(let reply):
            switch reply.status {
            case 200:
                let isSound = self.bucket.isSound(reply.headers[S3Bucket.checksumHeader], reply.checksum)
                return self.loaded(object, isSound: isSound, deadline)
            case 404: return self.absent(object.key)
            default: return .failed(.unavailable)
            }
        }
    }

    private func loaded(_ object: L2Object, isSound: Bool, _ deadline: L2Instant?) -> L2Result {
        guard isSound else {
            // As long as it is there no store replaces it; one that stays is missed again.
            _ = self.bucket.send(self.bucket.request("DELETE", object.key), deadline)
            self.accounts.forget(object.key)
            return .miss(.corrupted)
        }
        self.accounts.note(object.key, byteCount: object.buffer.byteCount)
        return .done(byteCount: object.buffer.byteCount)
    }

    private func absent(_ key: ObjectKey) -> L2Result {
        self.accounts.forget(key)
        return .miss(.absent)
    }

    // MARK: Stores and deletions

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
        switch self.send(object, deadline) {
        case .failure(let failure): return .failed(failure)
        case .success:
            self.accounts.note(object.key, byteCount: byteCount)
            return .done(byteCount: byteCount)
        }
    }

    private func send(_ object: L2Object, _ deadline: L2Instant?) -> Result<Void, L2Failure> {
        guard object.buffer.byteCount <= self.configuration.partedBytes else {
            return PartedStore(bucket: self.bucket, pool: self.pool, abandoned: self.abandoned)
                .store(object, deadline: deadline)
        }
        var request = self.bucket.request("PUT", object.key)
        request.headers += self.bucket.headers(for: object.buffer)
        request.body = .buffer(object.buffer)
        guard case .reply(let reply) = self.bucket.send(request, deadline) else { return .failure(.unavailable) }
        // Some services answer a failed request with status 200 and an error in the body.
        guard reply.status == 200, XMLText(reply.body).first("Error") == nil else {
            return .failure(reply.status == 507 ? .full : .unavailable)
        }
        return .success(())
    }

    private func delete(_ keys: [ObjectKey], _ deadline: L2Instant?) -> [L2Result] {
        // The service tells no difference between what it removed and what was never there.
        var results = self.lengths(of: keys, deadline)
        let there = results.indices.filter { results[$0].isSuccess }
        let isGone = self.deletion.delete(there.map { keys[$0] }, deadline: deadline)
        for (place, isGone) in zip(there, isGone) {
            if isGone { self.accounts.forget(keys[place]) } else { results[place] = .failed(.unavailable) }
        }
        return results
    }

    /// Lengths from the accounts, else from the service.
    private func lengths(of keys: [ObjectKey], _ deadline: L2Instant?) -> [L2Result] {
        let known = keys.map { key in self.accounts.byteCount(of: key).map { L2Result.done(byteCount: $0) } }
        let unknown = known.indices.filter { known[$0] == nil }
        let asked = LengthsFound()
        _ = self.pool.run(unknown.count) { number in
            let place = unknown[number]
            asked.note(self.length(of: keys[place], deadline), at: place)
            return true
        }
        let lengths = asked.all
        return known.indices.map { known[$0] ?? lengths[$0] ?? .failed(.unavailable) }
    }

    private func length(of key: ObjectKey, _ deadline: L2Instant?) -> L2Result {
        switch self.lookup(L2Probe(key: key, byteCount: 0), deadline) {
        case .miss(.wrongLength(let byteCount)): .done(byteCount: byteCount)
        case let other: other
        }
    }
}

private final class LengthsFound: Sendable {
    private let results = Mutex<[Int: L2Result]>([:])

    var all: [Int: L2Result] { self.results.withLock { $0 } }

    func note(_ result: L2Result, at place: Int) { self.results.withLock { $0[place] = result } }
}
