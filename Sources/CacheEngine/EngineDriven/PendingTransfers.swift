// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// Slots of the shared pool that engine workers are writing to or reading from, between prepare and commit.
///
/// ```
/// prepare ──▶ open ──commit──▶ gone
///               └──worker ends, connection closes, commit overdue or given up──▶ orphaned ──both ends seen──▶ gone
/// ```
/// An orphan is never committed. Its bytes are given to nobody else until its worker has ended and the connection that
/// prepared it is closed, whichever comes first: a worker unregisters, or is given up, while its process may still touch
/// the slots, and a process that only lost its connection goes on, too.
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

    /// What is left of a prepare that can not be committed any more, and which of its two ends has happened.
    private struct Orphan: Sendable {
        let entry: Entry
        let isWrite: Bool
        var hasWorkerEnded = false
        var isConnectionClosed = false

        var isOver: Bool { self.hasWorkerEnded && self.isConnectionClosed }
    }

    private var writes: [Entry] = []
    private var reads: [Entry] = []
    private var orphans: [Orphan] = []

    package init() {}

    /// Prepared writes and reads that wait for their commit.
    package var openCount: Int { self.writes.count + self.reads.count }
    /// Prepared writes and reads that can not be committed any more and whose bytes are kept.
    package var orphanCount: Int { self.orphans.count }

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
        if let entry { self.orphans.append(Orphan(entry: entry, isWrite: true)) }
        return entry
    }

    /// Takes the read that a commit ends, also one of a lost connection. Clients commit after a miss, too: that must not
    /// end the hold of another request that is reading the same range, nor that of an earlier worker of the same id.
    package mutating func takeRead(_ identity: Identity, requestID: String) -> Entry? {
        if let entry = Self.take(from: &self.reads, identity, requestID: requestID) { return entry }
        let index = self.orphans.firstIndex {
            !$0.isWrite && !$0.hasWorkerEnded && $0.entry.identity == identity && $0.entry.requestID == requestID
        }
        return index.map { self.orphans.remove(at: $0).entry }
    }

    /// What the owner does after an event, in this order.
    package struct Changes: Sendable {
        /// Writes that were orphaned just now: their keys become free for others, their bytes are kept.
        package var quarantined: [Entry] = []
        /// Orphaned writes that are over: their bytes go.
        package var endedWrites: [Entry] = []
        /// Reads that are over: their holds end.
        package var endedReads: [Entry] = []
    }

    /// A connection is lost or was closed: what it had open is orphaned.
    package mutating func connectionClosed(_ connection: ConnectionID) -> Changes {
        var changes = self.orphan { $0.connection == connection }
        for index in self.orphans.indices where self.orphans[index].entry.connection == connection {
            self.orphans[index].isConnectionClosed = true
        }
        self.removeWhatIsOver(&changes)
        return changes
    }

    /// A worker unregistered, was given up, or registered again. What it had open is orphaned.
    ///
    /// - Parameter connection: The connection of a new registration: what was prepared on it goes on. Nil for a worker
    ///   that is gone.
    package mutating func workerEnded(_ instance: InstanceID, except connection: ConnectionID? = nil) -> Changes {
        func isEnded(_ entry: Entry) -> Bool {
            entry.identity.instance == instance && entry.connection != connection
        }
        var changes = self.orphan(where: isEnded)
        for index in self.orphans.indices where isEnded(self.orphans[index].entry) {
            self.orphans[index].hasWorkerEnded = true
        }
        self.removeWhatIsOver(&changes)
        return changes
    }

    /// Orphans the writes that were prepared too long ago. Returns them: their keys become free for others.
    package mutating func expireWrites(startedBefore limit: Duration) -> [Entry] {
        let expired = self.writes.filter { $0.startedAt < limit }
        guard !expired.isEmpty else { return [] }
        self.writes.removeAll { $0.startedAt < limit }
        self.orphans += expired.map { Orphan(entry: $0, isWrite: true) }
        return expired
    }

    private mutating func orphan(where isLost: (Entry) -> Bool) -> Changes {
        let lost = self.writes.filter(isLost)
        self.writes.removeAll(where: isLost)
        self.orphans += lost.map { Orphan(entry: $0, isWrite: true) }
        self.orphans += self.reads.filter(isLost).map { Orphan(entry: $0, isWrite: false) }
        self.reads.removeAll(where: isLost)
        return Changes(quarantined: lost)
    }

    private mutating func removeWhatIsOver(_ changes: inout Changes) {
        for orphan in self.orphans where orphan.isOver {
            if orphan.isWrite {
                changes.endedWrites.append(orphan.entry)
            } else {
                changes.endedReads.append(orphan.entry)
            }
        }
        self.orphans.removeAll(where: \.isOver)
    }

    private static func take(from entries: inout [Entry], _ identity: Identity, requestID: String) -> Entry? {
        let index = entries.firstIndex { $0.identity == identity && $0.requestID == requestID }
        return index.map { entries.remove(at: $0) }
    }
}
