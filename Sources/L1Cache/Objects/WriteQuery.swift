// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// What a store asks for: one object a chunk, all of one shard and one object group.
package struct WriteQuery: Sendable {
    /// Who writes.
    package enum Purpose: Sendable, Equatable {
        case store
        /// From a tier behind; the caller may wait for memory to be committed.
        case prefetch
    }

    package var namespace: NamespaceID
    package var worldSize: Int
    package var rank: Int
    package var group: Int
    /// Chunks in prompt order.
    package var hashes: [ChunkHash]
    /// Bytes of each object.
    package var byteCount: Int
    package var purpose: Purpose

    package init(
        namespace: NamespaceID,
        worldSize: Int,
        rank: Int,
        group: Int,
        hashes: [ChunkHash],
        byteCount: Int,
        purpose: Purpose = .store
    ) {
        self.namespace = namespace
        self.worldSize = worldSize
        self.rank = rank
        self.group = group
        self.hashes = hashes
        self.byteCount = byteCount
        self.purpose = purpose
    }
}

/// The answer for one chunk of a store.
package enum WriteGrant: Hashable, Sendable {
    /// The caller writes the bytes and then calls `commit`, `abort` or `quarantine`.
    case granted(ObjectHandle, ObjectPlace)
    case alreadyResident
    /// Another writer is at it.
    case contended
    /// No room, also after eviction, or sizes that no object can have.
    case outOfMemory
}
