// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import Synchronization

/// Loads one object by several ranged requests at once.
struct PartedLoad: Sendable {
    let bucket: S3Bucket
    let pool: PartPool

    enum Outcome: Sendable, Equatable {
        /// The memory is filled; the checksum is the one that is stored with the object.
        case filled(checksum: String?)
        case wrongLength(found: Int)
        case absent
        case unavailable
        /// The service sends whole objects only, or the object was replaced between two parts: ask for the whole.
        case onlyWhole
    }

    /// What all parts of one object must agree on.
    private struct Version: Equatable {
        let tag: String?
        let checksum: String?
    }

    private final class Progress: Sendable {
        let state = Mutex<(version: Version?, end: Outcome?)>((nil, nil))

        /// Keeps the first reason to end.
        func end(_ outcome: Outcome) -> Bool {
            self.state.withLock { state in state.end = state.end ?? outcome }
            return false
        }

        /// False when another part is of another object.
        func agrees(_ version: Version) -> Bool {
            self.state.withLock { state in
                if state.version == nil { state.version = version }
                return state.version == version
            }
        }
    }

    func load(_ object: L2Object, deadline: L2Instant?) -> Outcome {
        let total = object.buffer.byteCount
        let ranges = PartPlan(byteCount: total, partBytes: self.bucket.configuration.partBytes).ranges
        let progress = Progress()
        let isWhole = self.pool.run(ranges.count) { number in
            let range = ranges[number]
            var request = self.bucket.request("GET", object.key)
            let part = HTTPPart(range: range, total: total)
            request.headers.append(("range", part.header))
            request.part = part
            request.destination = object.buffer.part(range)
            return self.take(self.bucket.send(request, deadline), progress)
        }
        let (version, end) = progress.state.withLock { $0 }
        if let end { return end }
        return isWhole ? .filled(checksum: version?.checksum) : .unavailable
    }

    private func take(_ answer: S3Service.Answer, _ progress: Progress) -> Bool {
        switch answer {
        case .unavailable: return progress.end(.unavailable)
        case .wrongLength(let found): return progress.end(.wrongLength(found: found))
        case .reply(let reply):
            switch reply.status {
            case 206:
                let version = Version(
                    tag: reply.headers["etag"], checksum: reply.headers[S3Bucket.checksumHeader])
                return progress.agrees(version) || progress.end(.onlyWhole)
            case 200: return progress.end(.onlyWhole)
            case 404: return progress.end(.absent)
            case 416:
                let total = reply.headers["content-range"].flatMap { ContentRange($0) }?.total
                return progress.end(total.map { .wrongLength(found: $0) } ?? .onlyWhole)
            default: return progress.end(.unavailable)
            }
        }
    }
}
