// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Looks the key's whole chunks up, from position 0 to `end`, and keeps what was found readable for the request.
    ///
    /// The answer waits for ``takeAnswer(requestID:connection:)``. Never fails: what cannot be looked up is a miss.
    package func lookup(_ key: CacheKey, connection: ConnectionID) {
        let now = self.now
        let wanted = min(max(key.end, 0), key.tokenIDs.count) / self.configuration.chunkSize
        let scope = LookupScope(
            modelName: key.modelName, cacheSalt: key.cacheSalt, requestedChunks: wanted, startedAt: now)
        let model = ModelLayouts.Model(name: key.modelName, worldSize: key.worldSize)
        guard let layout = self.state.withLock({ $0.layouts[model] }) else {
            self.warn(
                .noLayout,
                "No GPU context found for model \(key.modelName) with world size \(key.worldSize) during lookup!")
            return self.recordMiss(key, scope, connection, reason: .noGPUContext)
        }
        guard wanted > 0, key.readerCount > 0,
            let namespace = self.cache.intern(key.namespace(layoutSignature: layout.signature))
        else { return self.recordMiss(key, scope, connection, reason: .emptyChunkHashes) }
        let chain = self.chain(for: key)
        let text = PrefixIdentity(
            namespace: namespace, worldSize: key.worldSize, hashes: Array(chain.hashes.prefix(wanted)))
        let query = PrefixQuery(
            namespace: namespace, worldSize: key.worldSize, windows: layout.windows, hashes: text.hashes,
            readerCount: Self.shares(key.readerCount))
        let lease = self.cache.acquire(query)
        let asksTiers = lease.chunkCount < wanted && self.secondTier.isAsked
        let prefetch = asksTiers ? self.secondTier.ticket(requestID: key.requestID) : nil
        let owner = Session.Owner(namespace: namespace, worldSize: key.worldSize)
        let record = LookupRecord(
            connection: connection, scope: scope, text: text, lease: lease, prefetch: prefetch)
        let released = self.state.withLock {
            $0.sessions.record(record, requestID: key.requestID, chain: chain, owner: owner, now: now)
        }
        self.cache.release(released)
        guard let prefetch else { return }
        self.recorder.bindTokens(of: chain, chunks: lease.chunkCount..<wanted)
        let byteCounts = self.state.withLock { $0.layouts.byteCounts(of: model) }
        self.secondTier.begin(prefetch.id, query, byteCounts: byteCounts)
    }

    private func recordMiss(
        _ key: CacheKey, _ scope: LookupScope, _ connection: ConnectionID, reason: CacheMetrics.EarlyExit
    ) {
        self.metrics.lookupEndedEarly(model: key.modelName, salt: key.cacheSalt, reason: reason)
        let record = LookupRecord(connection: connection, scope: scope, text: nil, lease: ReadLease.empty)
        let released = self.state.withLock { state in
            let chain = state.sessions[key.requestID]?.chain ?? PrefixChain()
            return state.sessions.record(
                record, requestID: key.requestID, chain: chain, owner: nil, now: scope.startedAt)
        }
        self.cache.release(released)
    }

    /// The hit length in chunks, given out once a lookup; 0 for an unknown request and for an answer given before.
    ///
    /// Asked while the second tier still works, it is what the first tier has, and the prefetch ends.
    package func takeAnswer(requestID: String, connection: ConnectionID) -> Int {
        let now = self.now
        let answered = self.state.withLock { state in
            state.sessions.withExisting(requestID, now: now) { session -> (Int, LookupRecord)? in
                guard let index = session.lookupIndex(for: connection),
                    let chunks = session.lookups[index].consumeAnswer()
                else { return nil }
                return (chunks, session.lookups[index])
            }
        }
        guard let (chunks, lookup) = answered ?? nil else {
            self.logger.debug("Prefetch job for request \(requestID) not found (already completed or invalid)")
            return 0
        }
        self.report(chunks: chunks, lookup: lookup, requestID: requestID, now: now)
        return chunks
    }

    private func report(chunks: Int, lookup: LookupRecord, requestID: String, now: Duration) {
        let scope = lookup.scope
        let own = min(chunks, lookup.firstTierChunks)
        self.metrics.lookupFinished(
            model: scope.modelName, salt: scope.cacheSalt,
            requestedTokens: scope.requestedChunks * self.configuration.chunkSize,
            hitTokens: own * self.configuration.chunkSize, hitObjects: own,
            loadedTokens: (chunks - own) * self.configuration.chunkSize, loadedObjects: lookup.loadedObjects)
        guard chunks > 0 else { return }
        let milliseconds = (now - scope.startedAt).fixedMilliseconds
        self.logger.info(
            """
            Prefetch request completed (L1+L2): \(chunks)/\(scope.requestedChunks) retained keys (\(own) L1, \
            \(chunks - own) L2) in \(milliseconds) ms (external_request_id=\(requestID))
            """)
    }

    /// Ends the leases of the key's range that the engine will not retrieve: `readerCount` shares a cell, for the key's
    /// rank or, from a scheduler, for all. The range shrinks to whole chunks.
    package func freeLeases(_ key: CacheKey, connection: ConnectionID) {
        let chunk = self.configuration.chunkSize
        let first = max(key.start, 0).dividedRoundingUp(by: chunk)
        let range = first..<max(first, max(key.end, 0) / chunk)
        guard !range.isEmpty else { return }
        let text = KeyText(key: key, hashes: Array(self.chain(for: key).hashes.prefix(range.upperBound)))
        let now = self.now
        let released = self.state.withLock { state in
            state.sessions.withExisting(key.requestID, now: now) { session -> [ObjectHandle] in
                guard let index = session.lookupIndex(for: connection, meeting: text) else { return [] }
                _ = session.lookups[index].consumeAnswer()
                return session.lookups[index].lease.free(
                    range, rank: key.workerID, worldSize: key.worldSize, shares: Self.shares(key.readerCount))
            }
        }
        self.cache.release(released ?? [])
    }

    /// What a client's reader count may ask for: past the limit an engine has no such number of workers.
    private static func shares(_ readerCount: Int) -> Int { min(max(1, readerCount), 128) }

    /// Ends what the connection holds of a request and marks the request's chunks as recently used.
    package func endSession(requestID: String, connection: ConnectionID) {
        let ended = self.state.withLock { $0.sessions.end(requestID, connection: connection) }
        guard let ended else {
            self.logger.debug("end_session for unknown request \(requestID)")
            return
        }
        self.cache.release(ended.released)
        guard let owner = ended.session.owner else { return }
        self.cache.touch(
            namespace: owner.namespace, worldSize: owner.worldSize, hashes: ended.session.chain.hashes)
    }
}

extension ReadLease {
    /// Takes up to `shares` shares of every cell in the range. Returns the cells whose lease ends.
    mutating func free(_ range: Range<Int>, rank: Int?, worldSize: Int, shares: Int) -> [ObjectHandle] {
        var ended: [ObjectHandle] = []
        let ranks = rank.map { $0..<($0 + 1) } ?? 0..<worldSize
        for group in 0..<self.groupCount {
            for chunk in range.clamped(to: self.retained(group: group)) {
                for rank in ranks where rank < self.worldSize {
                    for _ in 0..<shares {
                        guard let share = self.takeShare(group: group, rank: rank, chunk: chunk) else { break }
                        if share.isLast { ended.append(share.handle) }
                    }
                }
            }
        }
        return ended
    }
}
