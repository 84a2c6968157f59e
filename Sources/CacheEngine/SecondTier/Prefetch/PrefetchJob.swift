// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache
package import L2Storage

/// One prefetch, numbered and never reused.
package struct PrefetchID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package static func < (left: PrefetchID, right: PrefetchID) -> Bool { left.rawValue < right.rawValue }
}

/// What a prefetch is about.
package struct PrefetchRequest: Sendable {
    package let id: PrefetchID
    package let query: PrefixQuery
    /// For each object group the lengths that its objects may have.
    package let byteCounts: [[Int]]
    package let mode: PrefetchGrid.Mode
    /// False: what was loaded goes with its last reader.
    package let retains: Bool

    package init(id: PrefetchID, query: PrefixQuery, byteCounts: [[Int]], mode: PrefetchGrid.Mode, retains: Bool) {
        self.id = id
        self.query = query
        self.byteCounts = byteCounts
        self.mode = mode
        self.retains = retains
    }

    /// One window a row.
    var rowWindows: [PrefixWindow] {
        self.query.windows.flatMap { Array(repeating: $0, count: max(0, self.query.worldSize)) }
    }

    /// What a cell of the grid is called in the first tier.
    func identity(of cell: Int) -> ObjectIdentity {
        let (row, chunk) = cell.quotientAndRemainder(dividingBy: self.query.hashes.count)
        let (group, rank) = row.quotientAndRemainder(dividingBy: self.query.worldSize)
        return ObjectIdentity(
            namespace: self.query.namespace, hash: self.query.hashes[chunk], worldSize: self.query.worldSize,
            rank: rank, group: group)
    }
}

/// One object's name inside the process.
package struct ObjectIdentity: Hashable, Sendable {
    package let namespace: NamespaceID
    package let hash: ChunkHash
    package let worldSize: Int
    package let rank: Int
    package let group: Int

    package init(namespace: NamespaceID, hash: ChunkHash, worldSize: Int, rank: Int, group: Int) {
        self.namespace = namespace
        self.hash = hash
        self.worldSize = worldSize
        self.rank = rank
        self.group = group
    }

    package init(_ object: CommittedObject) {
        self.init(
            namespace: object.namespace, hash: object.hash, worldSize: object.worldSize, rank: object.rank,
            group: object.group)
    }

    /// Its name on the media.
    package func key(in namespace: Namespace) -> ObjectKey {
        ObjectKey(
            chunkHash: self.hash, modelName: namespace.modelName,
            kvRank: KVRank(worldSize: self.worldSize, rank: self.rank), objectGroup: self.group,
            cacheSalt: namespace.cacheSalt)
    }
}

/// One question to one tier, or one load from it.
package struct PrefetchStep: Sendable, Equatable {
    package let job: PrefetchID
    /// Unique within the controller, so that a late answer meets nothing.
    package let number: UInt64
    package let tier: TierID
    /// A question's cells, or a load's, in the same order as ``loads`` and ``handles``.
    package let cells: [Int]
    package var byteCounts: [Int] = []
    package var handles: [ObjectHandle] = []
    package let deadline: L2Instant
}

/// How a prefetch ended.
package struct PrefetchOutcome: Sendable, Equatable {
    package let id: PrefetchID
    /// To be released once the result is leased.
    package let holds: [ObjectHandle]
    /// Objects that came from tiers, whether the prefix needs them or not.
    package let loadedObjects: Int
    /// Objects of the grid that are in the first tier now.
    package let residentObjects: Int
    package let totalObjects: Int
    /// The deadline passed first.
    package let isOverdue: Bool
}
