// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Hears what changed.
///
/// Called after the lock is released, from whichever thread caused the change; may call back.
package protocol L1Listener: AnyObject, Sendable {
    func objectsEvicted(_ objects: [EvictedObject])
    func objectsCommitted(_ objects: [CommittedObject])
    /// `count` objects of one store or prefetch found no room.
    func allocationFailed(count: Int, namespace: NamespaceID, purpose: WriteQuery.Purpose)
    /// The evictor looked, once a second. `usage` is a fraction of the capacity.
    func watermarkTick(usage: Double, triggered: Bool)
    /// The system has no more memory for the arena; told once until it grows again.
    func growthFailed(errno: Int32, committedBytes: Int)
}

/// Why an object went.
package enum EvictionReason: String, Sendable {
    case demand, watermark, cleared
}

/// One object that left the index.
package struct EvictedObject: Sendable, Equatable {
    package var namespace: NamespaceID
    package var hash: ChunkHash
    package var rank: Int
    package var group: Int
    package var worldSize: Int
    package var byteCount: Int
    package var reason: EvictionReason
}

/// One object that became visible.
package struct CommittedObject: Sendable, Equatable {
    package var namespace: NamespaceID
    package var hash: ChunkHash
    package var rank: Int
    package var group: Int
    package var worldSize: Int
    package var byteCount: Int

    package init(namespace: NamespaceID, hash: ChunkHash, rank: Int, group: Int, worldSize: Int, byteCount: Int) {
        self.namespace = namespace
        self.hash = hash
        self.rank = rank
        self.group = group
        self.worldSize = worldSize
        self.byteCount = byteCount
    }
}
