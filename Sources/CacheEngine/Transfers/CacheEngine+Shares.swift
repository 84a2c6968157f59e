// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Synchronization

extension CacheEngine {
    typealias Share = (handle: ObjectHandle, isLast: Bool)

    /// Takes one reader's share of every cell, from the connection's own lookup of this text under the request's id or
    /// from another's. Nil, with what was taken released, when a cell has none.
    func takeShares(
        _ order: TransferOrder, text: PrefixIdentity, cells: [(group: Int, chunks: Range<Int>)], rank: Int
    ) -> [Share]? {
        let now = self.now
        let taken = self.state.withLock { state in
            state.sessions.withExisting(order.key.requestID, now: now) { session in
                session.takeShares(connection: order.connection, text: text, cells: cells, rank: rank)
            }
        }
        guard let taken else { return nil }
        if taken.isComplete { return taken.shares }
        self.cache.release(taken.shares.filter { $0.isLast }.map { $0.handle })
        return nil
    }

    /// Uses up this worker's shares of the range without a copy, for a retrieve that failed. Only those of a lookup
    /// of the same tokens: another engine may have given the same id to another text.
    func releaseShares(of order: TransferOrder) {
        guard let rank = order.key.workerID else { return }
        let chunk = self.configuration.chunkSize
        let first = max(order.key.start, 0) / chunk
        let range = first..<max(first, max(order.key.end, 0).dividedRoundingUp(by: chunk))
        let hashes = self.chain(for: order.key).hashes.prefix(range.upperBound)
        let now = self.now
        let released = self.state.withLock { state in
            state.sessions.withExisting(order.key.requestID, now: now) { session -> [ObjectHandle] in
                guard let index = session.lookupIndex(for: order.connection, sharing: hashes) else { return [] }
                return session.lookups[index].lease.free(
                    range, rank: rank, worldSize: order.key.worldSize, shares: 1)
            }
        }
        self.cache.release(released ?? [])
    }
}

extension Session {
    /// Takes one share of every cell; `isComplete` is false when the first missing one ended the taking.
    mutating func takeShares(
        connection: ConnectionID, text: PrefixIdentity, cells: [(group: Int, chunks: Range<Int>)], rank: Int
    ) -> (shares: [(handle: ObjectHandle, isLast: Bool)], isComplete: Bool) {
        guard let index = self.lookupIndex(for: connection, covering: text) else {
            return ([], cells.allSatisfy { $0.chunks.isEmpty })
        }
        var shares: [(handle: ObjectHandle, isLast: Bool)] = []
        shares.reserveCapacity(cells.reduce(0) { $0 + $1.chunks.count })
        for cell in cells {
            for chunk in cell.chunks {
                guard let share = self.lookups[index].lease.takeShare(group: cell.group, rank: rank, chunk: chunk)
                else { return (shares, false) }
                shares.append(share)
            }
        }
        return (shares, true)
    }
}
