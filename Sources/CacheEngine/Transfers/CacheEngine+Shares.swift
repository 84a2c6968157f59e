// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Synchronization

extension CacheEngine {
    typealias Share = (handle: ObjectHandle, isLast: Bool)

    /// Takes one reader's share of every cell, from the connection's own lookup of this text under the request's id or
    /// from another's. Nil when a cell has none; the shares of the range are used up then, too.
    func takeShares(
        _ order: TransferOrder, text: PrefixIdentity, cells: [(group: Int, chunks: Range<Int>)], rank: Int
    ) -> [Share]? {
        let now = self.now
        let taken = self.state.withLock { state in
            state.sessions.withExisting(order.key.requestID, now: now) { session in
                session.takeShares(connection: order.connection, text: text, cells: cells, rank: rank)
            }
        }
        switch taken ?? .noLookup {
        case .complete(let shares): return shares
        case .incomplete(let shares): self.cache.release(shares.filter { $0.isLast }.map { $0.handle })
        case .noLookup: self.releaseShares(of: order)
        }
        return nil
    }

    /// Uses up this worker's shares of the range without a copy, for a retrieve that was refused. Only those of a lookup
    /// of the same tokens: another engine's request may have the same id.
    func releaseShares(of order: TransferOrder) {
        guard let rank = order.key.workerID else { return }
        let chunk = self.configuration.chunkSize
        let first = max(order.key.start, 0) / chunk
        let range = first..<max(first, max(order.key.end, 0).dividedRoundingUp(by: chunk))
        let text = KeyText(key: order.key, hashes: Array(self.chain(for: order.key).hashes.prefix(range.upperBound)))
        let now = self.now
        let released = self.state.withLock { state in
            state.sessions.withExisting(order.key.requestID, now: now) { session -> [ObjectHandle] in
                guard let index = session.lookupIndex(for: order.connection, meeting: text) else { return [] }
                return session.lookups[index].lease.free(
                    range, rank: rank, worldSize: order.key.worldSize, shares: 1)
            }
        }
        self.cache.release(released ?? [])
    }
}

/// What a session had for a reader.
enum TakenShares {
    case complete([CacheEngine.Share])
    /// Some cells had no share left; these are the others'.
    case incomplete([CacheEngine.Share])
    /// Nobody looked this text up under this request's id.
    case noLookup
}

extension Session {
    /// Takes one share of every cell that has one.
    mutating func takeShares(
        connection: ConnectionID, text: PrefixIdentity, cells: [(group: Int, chunks: Range<Int>)], rank: Int
    ) -> TakenShares {
        guard let index = self.lookupIndex(for: connection, covering: text) else {
            return cells.allSatisfy { $0.chunks.isEmpty } ? .complete([]) : .noLookup
        }
        var shares: [CacheEngine.Share] = []
        var isComplete = true
        shares.reserveCapacity(cells.reduce(0) { $0 + $1.chunks.count })
        for cell in cells {
            for chunk in cell.chunks {
                if let share = self.lookups[index].lease.takeShare(group: cell.group, rank: rank, chunk: chunk) {
                    shares.append(share)
                } else {
                    isComplete = false
                }
            }
        }
        return isComplete ? .complete(shares) : .incomplete(shares)
    }
}
