// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// One lookup of one connection: its answer, given out once, and what it keeps readable.
///
/// ```
/// lookup ──▶ unanswered ──query, wait or free──▶ answered ──end of request, session or connection──▶ released
/// ```
package struct LookupRecord: Sendable {
    package let connection: ConnectionID
    /// What the metrics report once the answer is consumed.
    package let scope: LookupScope
    /// The text that was looked up; nil for a lookup that never reached the cache.
    package let text: PrefixIdentity?
    package var lease: ReadLease
    /// Hit length in chunks. Stays when the lease's shares are gone.
    package private(set) var hitChunks: Int
    /// Hit length of the first tier alone.
    package let firstTierChunks: Int
    /// Objects that were loaded for this lookup.
    package private(set) var loadedObjects = 0
    package private(set) var isAnswered = false
    /// While the second tier is being asked. Dropping it ends that.
    package private(set) var prefetch: PrefetchTicket?

    package init(
        connection: ConnectionID, scope: LookupScope, text: PrefixIdentity?, lease: ReadLease,
        prefetch: PrefetchTicket? = nil
    ) {
        self.connection = connection
        self.scope = scope
        self.text = text
        self.hitChunks = lease.chunkCount
        self.firstTierChunks = lease.chunkCount
        self.prefetch = prefetch
        self.lease = lease
    }

    /// Whether this lookup was about the same tokens up to the end of the other text, in the same namespace.
    ///
    /// A request id alone proves nothing: another engine may use the same one for another text.
    package func covers(_ other: PrefixIdentity) -> Bool {
        guard let text = self.text, text.namespace == other.namespace, text.worldSize == other.worldSize else {
            return false
        }
        guard let last = other.hashes.last else { return true }
        return other.hashes.count <= text.hashes.count && text.hashes[other.hashes.count - 1] == last
    }

    /// Whether this lookup and a key are about the same tokens as far as both go: the longer text starts with the other.
    package func meets(_ other: KeyText) -> Bool {
        guard let text = self.text, text.worldSize == other.worldSize, self.scope.modelName == other.modelName,
            self.scope.cacheSalt == other.cacheSalt
        else { return false }
        let shared = min(text.hashes.count, other.hashes.count)
        return shared > 0 && text.hashes[shared - 1] == other.hashes[shared - 1]
    }

    /// The second tier has been asked. Returns the earlier lease's cells, to be released.
    package mutating func complete(lease: ReadLease, loadedObjects: Int) -> [ObjectHandle] {
        let released = self.lease.takeAll()
        self.lease = lease
        self.hitChunks = lease.chunkCount
        self.loadedObjects = loadedObjects
        self.prefetch = nil
        return released
    }

    /// Gives the answer out, which ends what is still being asked. Nil when it was given before.
    package mutating func consumeAnswer() -> Int? {
        self.prefetch = nil
        guard !self.isAnswered else { return nil }
        self.isAnswered = true
        return self.hitChunks
    }
}

/// A text by its chunk hashes, each of which names every token before its chunk's end.
package struct PrefixIdentity: Sendable, Equatable {
    package let namespace: NamespaceID
    package let worldSize: Int
    /// Of the whole chunks, from the first.
    package let hashes: [ChunkHash]

    package init(namespace: NamespaceID, worldSize: Int, hashes: [ChunkHash]) {
        self.namespace = namespace
        self.worldSize = worldSize
        self.hashes = hashes
    }
}

/// What a lookup asked for.
package struct LookupScope: Sendable, Equatable {
    package let modelName: String
    package let cacheSalt: String
    /// Whole chunks asked for.
    package let requestedChunks: Int
    package let startedAt: Duration

    package init(modelName: String, cacheSalt: String, requestedChunks: Int, startedAt: Duration) {
        self.modelName = modelName
        self.cacheSalt = cacheSalt
        self.requestedChunks = requestedChunks
        self.startedAt = startedAt
    }
}

/// A text as a client's key names it, where no worker's layout is at hand.
package struct KeyText: Sendable {
    package let modelName: String
    package let cacheSalt: String
    package let worldSize: Int
    /// Of the whole chunks, from the first.
    package let hashes: [ChunkHash]

    package init(key: CacheKey, hashes: [ChunkHash]) {
        self.modelName = key.modelName
        self.cacheSalt = key.cacheSalt
        self.worldSize = key.worldSize
        self.hashes = hashes
    }
}
