// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// Slots of the shared pool that engine workers are writing to or reading from, between prepare and commit.
///
/// ```
/// prepare ──▶ open ──commit──▶ gone
///               └──connection lost, given up──▶ orphaned ──worker ends──▶ gone
/// ```
/// An orphan is never committed, and its bytes are given to nobody else until its worker is known to be gone: the process
/// may still be writing.
package struct PendingTransfers: Sendable {
    /// What makes a commit belong to a prepare: everything of the key but the client's own fields, and the worker.
    package struct Identity: Hashable, Sendable {
        package let instance: InstanceID
        package let namespace: NamespaceID
        package let worldSize: Int
        package let rank: Int
        package let chunks: Range<Int>
        /// Names every token up to the end of the range; nil for an empty range.
        package let lastHash: ChunkHash?

        package init(
            instance: InstanceID, namespace: NamespaceID, worldSize: Int, rank: Int, chunks: Range<Int>,
            lastHash: ChunkHash?
        ) {
            self.instance = instance
            self.namespace = namespace
            self.worldSize = worldSize
            self.rank = rank
            self.chunks = chunks
            self.lastHash = lastHash
        }
    }

    package struct Entry: Sendable {
        package let identity: Identity
        package let requestID: String
        package let connection: ConnectionID
        package let handles: [ObjectHandle]
        package let places: [ObjectPlace]
        /// Positions in the key's range, one a handle.
        package let chunkIndices: [Int]
        package let startedAt: Duration

        package init(
            identity: Identity, requestID: String, connection: ConnectionID, handles: [ObjectHandle],
            places: [ObjectPlace], chunkIndices: [Int], startedAt: Duration
        ) {
            self.identity = identity
            self.requestID = requestID
            self.connection = connection
            self.handles = handles
            self.places = places
            self.chunkIndices = chunkIndices
            self.startedAt = startedAt
        }
    }

    private var writes: [Entry] = []
    private var reads: [Entry] = []
    private var orphanedWrites: [Entry] = []
    private var orphanedReads: [Entry] = []

    package init() {}

    /// Prepared writes and reads that wait for their commit.
    package var openCount: Int { self.writes.count + self.reads.count }
    /// Prepared writes and reads whose connection is gone.
    package var orphanCount: Int { self.orphanedWrites.count + self.orphanedReads.count }

    /// Whether the worker is writing this range already: a second prepare must not share its slots.
    package func isWriting(_ identity: Identity) -> Bool { self.writes.contains { $0.identity == identity } }

    package mutating func openWrite(_ entry: Entry) { self.writes.append(entry) }

    package mutating func openRead(_ entry: Entry) { self.reads.append(entry) }

    /// Takes the write that a commit ends. The range alone is not enough: a commit that comes late, after its own write was
    /// orphaned, must not make another request's half-written slots visible.
    package mutating func takeWrite(_ identity: Identity, requestID: String) -> Entry? {
        Self.take(from: &self.writes, identity, requestID: requestID)
    }

    /// Orphans a write that its worker has given up. Returns it: its keys become free for others.
    package mutating func abandonWrite(_ identity: Identity, requestID: String) -> Entry? {
        let entry = Self.take(from: &self.writes, identity, requestID: requestID)
        if let entry { self.orphanedWrites.append(entry) }
        return entry
    }

    /// Takes the read that a commit ends, also one of a lost connection. Clients commit after a miss, too: that must not
    /// end the hold of another request that is reading the same range.
    package mutating func takeRead(_ identity: Identity, requestID: String) -> Entry? {
        Self.take(from: &self.reads, identity, requestID: requestID)
            ?? Self.take(from: &self.orphanedReads, identity, requestID: requestID)
    }

    /// Orphans what a lost connection had open. Returns the writes, whose keys become free for others.
    package mutating func connectionClosed(_ connection: ConnectionID) -> [Entry] {
        let lost = self.writes.filter { $0.connection == connection }
        self.writes.removeAll { $0.connection == connection }
        self.orphanedWrites += lost
        self.orphanedReads += self.reads.filter { $0.connection == connection }
        self.reads.removeAll { $0.connection == connection }
        return lost
    }

    /// Orphans the writes that were prepared too long ago. Returns them: their keys become free for others.
    package mutating func expireWrites(startedBefore limit: Duration) -> [Entry] {
        guard self.writes.contains(where: { $0.startedAt < limit }) else { return [] }
        let expired = self.writes.filter { $0.startedAt < limit }
        self.writes.removeAll { $0.startedAt < limit }
        self.orphanedWrites += expired
        return expired
    }

    package struct Remains: Sendable {
        /// To abort.
        package var writes: [Entry]
        /// To release from quarantine.
        package var orphanedWrites: [Entry]
        /// Whose holds end.
        package var reads: [Entry]
    }

    /// Takes everything of a worker that has ended and touches the pool no more.
    package mutating func workerEnded(_ instance: InstanceID) -> Remains {
        func take(_ entries: inout [Entry]) -> [Entry] {
            let taken = entries.filter { $0.identity.instance == instance }
            entries.removeAll { $0.identity.instance == instance }
            return taken
        }
        return Remains(
            writes: take(&self.writes), orphanedWrites: take(&self.orphanedWrites),
            reads: take(&self.reads) + take(&self.orphanedReads))
    }

    private static func take(from entries: inout [Entry], _ identity: Identity, requestID: String) -> Entry? {
        let index = entries.firstIndex { $0.identity == identity && $0.requestID == requestID }
        return index.map { entries.remove(at: $0) }
    }
}
