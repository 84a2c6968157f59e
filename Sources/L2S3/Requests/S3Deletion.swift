// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel
internal import L2Storage
internal import Synchronization

/// Deletes many objects by one request.
///
/// Source: "DeleteObjects" of the S3 reference.
struct S3Deletion: Sendable {
    /// Most keys of one request.
    static let limit = 1000

    let bucket: S3Bucket
    let pool: PartPool
    /// Set once a service has turned out not to know the request.
    private let isUnknown = Flag()

    init(bucket: S3Bucket, pool: PartPool) {
        self.bucket = bucket
        self.pool = pool
    }

    /// - Parameter keys: Any number.
    /// - Returns: For each key whether the service says that it is gone.
    func delete(_ keys: [ObjectKey], deadline: L2Instant?) -> [Bool] {
        let names = keys.map(self.bucket.name)
        var isGone = Array(repeating: false, count: keys.count)
        // XML has no way to say some characters.
        let sayable = names.indices.filter { XMLText.canSay(names[$0]) }
        var single = names.indices.filter { !XMLText.canSay(names[$0]) }
        for start in stride(from: 0, to: sayable.count, by: Self.limit) {
            let places = Array(sayable[start..<min(sayable.count, start + Self.limit)])
            guard places.count > 1, !self.isUnknown.isSet,
                let gone = self.deleteAtOnce(places.map { names[$0] }, deadline)
            else {
                single += places
                continue
            }
            for place in places where gone.contains(names[place]) { isGone[place] = true }
        }
        for (place, result) in zip(single, self.deleteEach(single.map { names[$0] }, deadline)) {
            isGone[place] = result
        }
        return isGone
    }

    /// The names that are gone, or nil when the service does not know such a request.
    private func deleteAtOnce(_ names: [String], _ deadline: L2Instant?) -> Set<String>? {
        let objects = names.map { "<Object><Key>\(XMLText.escaped($0))</Key></Object>" }
        let body = Array("<Delete>\(objects.joined())</Delete>".utf8)
        var request = self.bucket.request("POST", name: nil, query: [("delete", "")])
        request.headers = [("content-type", "application/xml"), ("content-md5", MD5.base64(body))]
        request.body = .bytes(body)
        guard case .reply(let reply) = self.bucket.send(request, deadline) else { return [] }
        switch reply.status {
        case 200:
            guard let result = XMLText(reply.body).first("DeleteResult") else { return [] }
            // What is named neither as deleted nor as an error may still be there.
            return Set(result.all("Deleted").compactMap { $0.first("Key")?.text })
        case 400, 405, 501:
            self.isUnknown.set()
            return nil
        default: return []
        }
    }

    private func deleteEach(_ names: [String], _ deadline: L2Instant?) -> [Bool] {
        let results = Results(count: names.count)
        _ = self.pool.run(names.count) { number in
            let request = self.bucket.request("DELETE", name: names[number])
            guard case .reply(let reply) = self.bucket.send(request, deadline) else { return true }
            if [200, 204, 404].contains(reply.status) { results.set(number) }
            return true
        }
        return results.values
    }

    private final class Results: Sendable {
        private let results: Mutex<[Bool]>

        init(count: Int) { self.results = Mutex(Array(repeating: false, count: count)) }

        var values: [Bool] { self.results.withLock { $0 } }

        func set(_ number: Int) { self.results.withLock { $0[number] = true } }
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)

        var isSet: Bool { self.value.load(ordering: .relaxed) }

        func set() { self.value.store(true, ordering: .relaxed) }
    }
}
