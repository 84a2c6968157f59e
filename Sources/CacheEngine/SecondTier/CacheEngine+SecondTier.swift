// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache
import L2Storage
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Leases what a prefetch brought, for the lookup that asked, and answers whoever waits.
    func prefetchFinished(_ outcome: PrefetchOutcome) {
        guard let ticket = self.secondTier.ticket(outcome.id), let query = self.secondTier.query(of: outcome.id) else {
            return self.cache.releaseHolds(outcome.holds)
        }
        let lease = self.cache.acquire(query)
        self.cache.releaseHolds(outcome.holds)
        let completion = self.state.withLock {
            $0.sessions.complete(ticket, lease: lease, loadedObjects: outcome.loadedObjects)
        }
        self.cache.release(completion.released)
        guard let connection = completion.connection else { return }
        for waiter in ticket.takeWaiters() {
            waiter.reply(self.takeAnswer(requestID: ticket.requestID, connection: connection))
        }
    }

    /// Moves a prompt's objects from the second tier to the first and leaves them there. Nil when no worker of the model
    /// is registered, when there is no tier, or when too many run.
    ///
    /// - Returns: The number to ask ``takeWarming(_:)`` with, and whole chunks asked for; no number for a prompt that is
    ///   shorter than a chunk.
    package func warm(
        modelName: String, worldSize: Int, tokens: [UInt32], cacheSalt: String
    ) -> (id: PrefetchID?, chunks: Int)? {
        let model = ModelLayouts.Model(name: modelName, worldSize: worldSize)
        let chunks = tokens.count / self.configuration.chunkSize
        let (layout, byteCounts) = self.state.withLock { ($0.layouts[model], $0.layouts.byteCounts(of: model)) }
        guard let layout, self.secondTier.isAsked else { return nil }
        guard chunks > 0 else { return (nil, 0) }
        let namespace = self.cache.intern(
            Namespace(modelName: modelName, cacheSalt: cacheSalt, layoutSignature: layout.signature))
        guard let namespace else { return nil }
        var chain = PrefixChain()
        chain.update(to: tokens, hasher: self.hasher)
        self.recorder.bindTokens(of: chain, chunks: 0..<chunks)
        let query = PrefixQuery(
            namespace: namespace, worldSize: worldSize, windows: layout.windows, hashes: chain.hashes, readerCount: 1)
        return self.secondTier.warm(query, byteCounts: byteCounts).map { ($0, chunks) }
    }

    /// How a warming goes; its result is given out once. Nil for an unknown number.
    package func takeWarming(_ id: PrefetchID) -> PrefetchWarmings.Result? { self.secondTier.takeWarming(id) }

    /// Removes objects from the first tier by their full names. One result a key.
    package func removeFromFirstTier(_ keys: [ObjectKey], force: Bool) -> [L1Removal] {
        keys.map { key in
            let (worldSize, rank) = (Int(key.kvRank.rawValue >> 24), Int(key.kvRank.rawValue >> 16 & 255))
            // The name does not say the layout: whichever has it.
            let objects = self.cache.identifiers(modelName: key.modelName, cacheSalt: key.cacheSalt).map {
                CommittedObject(
                    namespace: $0, hash: key.chunkHash, rank: rank, group: key.objectGroup, worldSize: worldSize,
                    byteCount: 0)
            }
            let results = self.cache.remove(objects, force: force)
            return results.contains(.inUse) ? .inUse : results.contains(.removed) ? .removed : .absent
        }
    }
}

extension SecondTier {
    /// The claim on a prefetch; nil when nobody wants it any more.
    func ticket(_ id: PrefetchID) -> PrefetchTicket? { self.state.withLock { $0.tickets[id]?.ticket } }

    /// What a prefetch that is being finished asked for.
    func query(of id: PrefetchID) -> PrefixQuery? { self.state.withLock { $0.requests[id]?.query } }

    func warm(_ query: PrefixQuery, byteCounts: [[Int]]) -> PrefetchID? {
        let id = self.nextPrefetch()
        guard self.state.withLock({ $0.warmings.start(id) }) else { return nil }
        self.post(
            .requested(
                PrefetchRequest(id: id, query: query, byteCounts: byteCounts, mode: .everything, retains: true)))
        return id
    }

    func takeWarming(_ id: PrefetchID) -> PrefetchWarmings.Result? { self.state.withLock { $0.warmings.take(id) } }
}
