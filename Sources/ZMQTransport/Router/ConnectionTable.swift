// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Numbers the peers of a ROUTER and notices when they end.
///
/// The library names a peer by an identity and tells its end by a descriptor only; the kernel gives a descriptor out
/// again at once. What ties them: a message carries both, and the end of a descriptor's connection is reported before
/// the next one with that descriptor is accepted. So the caller feeds every waiting event in before it admits an
/// unknown identity.
///
/// A pure state machine. Times are since any fixed moment.
struct ConnectionTable {
    /// How long after the end of a connection its last messages may still turn up.
    static let grace = Duration.milliseconds(50)
    /// When an ended connection is given up although the socket was never seen empty since.
    static let longestWait = Duration.seconds(2)

    private struct Entry {
        let identity: [UInt8]
        let descriptor: Int32
        var endedAt: Duration?
    }

    private var entries: [ConnectionID: Entry] = [:]
    private var idByIdentity: [[UInt8]: ConnectionID] = [:]
    /// The connection that a descriptor's next end belongs to.
    private var idByDescriptor: [Int32: ConnectionID] = [:]
    /// Descriptors whose last event was an accept.
    private var acceptedDescriptors: Set<Int32> = []
    private var ending: [ConnectionID] = []
    private var lastNumber: UInt64 = 0

    /// Connections known, ended ones included until they are settled.
    var count: Int { self.entries.count }
    var hasEnding: Bool { !self.ending.isEmpty }

    mutating func accepted(descriptor: Int32, now: Duration) {
        if let id = self.idByDescriptor.removeValue(forKey: descriptor) { self.end(id, now: now) }
        self.acceptedDescriptors.insert(descriptor)
    }

    mutating func disconnected(descriptor: Int32, now: Duration) {
        self.acceptedDescriptors.remove(descriptor)
        if let id = self.idByDescriptor.removeValue(forKey: descriptor) { self.end(id, now: now) }
    }

    /// Sending to the connection found no peer.
    mutating func unreachable(_ id: ConnectionID, now: Duration) { self.end(id, now: now) }

    /// The live connection of a message, when the table knows it without further events.
    func connection(identity: [UInt8], descriptor: Int32) -> ConnectionID? {
        guard let id = self.idByIdentity[identity], let entry = self.entries[id] else { return nil }
        return entry.descriptor == descriptor && entry.endedAt == nil ? id : nil
    }

    /// The connection of a message, a new one if need be. Call it after all events that wait were fed in.
    ///
    /// - Parameter descriptor: Negative when the library does not know it; the connection then counts as ended.
    mutating func admit(
        identity: [UInt8],
        descriptor: Int32,
        now: Duration
    ) -> (id: ConnectionID, isNew: Bool) {
        if let id = self.idByIdentity[identity], let entry = self.entries[id] {
            // A late message of an ended connection; only an identity that the peer chose can come back.
            let isSame =
                entry.endedAt == nil || Self.isAutomatic(identity)
                || !self.acceptedDescriptors.contains(descriptor)
            if entry.descriptor == descriptor, isSame { return (id, false) }
            self.end(id, now: now)
        }
        self.lastNumber += 1
        let id = ConnectionID(self.lastNumber)
        self.entries[id] = Entry(identity: identity, descriptor: descriptor)
        self.idByIdentity[identity] = id
        guard self.acceptedDescriptors.contains(descriptor) else {
            self.end(id, now: now)
            return (id, true)
        }
        if let rival = self.idByDescriptor[descriptor], let entry = self.entries[rival], entry.endedAt == nil,
            Self.isOlder(identity, than: entry.identity)
        {
            self.end(id, now: now)
        } else {
            if let rival = self.idByDescriptor[descriptor] { self.end(rival, now: now) }
            self.idByDescriptor[descriptor] = id
        }
        return (id, true)
    }

    /// The identity to send to, or nil when the connection is not known or its identity belongs to a later one.
    func identity(of id: ConnectionID) -> [UInt8]? {
        guard let entry = self.entries[id], self.idByIdentity[entry.identity] == id else { return nil }
        return entry.identity
    }

    /// Forgets and returns the connections that will send nothing more.
    ///
    /// - Parameter emptySince: When the last search of the socket began that found it empty at its end.
    mutating func settle(emptySince: Duration?, now: Duration) -> [ConnectionID] {
        guard !self.ending.isEmpty else { return [] }
        var settled: [ConnectionID] = []
        self.ending.removeAll { id in
            guard let entry = self.entries[id], let endedAt = entry.endedAt else { return true }
            let isQuiet = emptySince.map { $0 >= endedAt + Self.grace } ?? false
            guard isQuiet || now >= endedAt + Self.longestWait else { return false }
            self.entries[id] = nil
            if self.idByIdentity[entry.identity] == id { self.idByIdentity[entry.identity] = nil }
            if self.idByDescriptor[entry.descriptor] == id { self.idByDescriptor[entry.descriptor] = nil }
            settled.append(id)
            return true
        }
        return settled
    }

    private mutating func end(_ id: ConnectionID, now: Duration) {
        guard self.entries[id]?.endedAt == nil, self.entries[id] != nil else { return }
        self.entries[id]?.endedAt = now
        self.ending.append(id)
    }

    /// Whether the ROUTER made the identity up: a zero byte and a big-endian counter of 32 bits.
    private static func isAutomatic(_ identity: [UInt8]) -> Bool { identity.count == 5 && identity[0] == 0 }

    /// Whether the first of two made-up identities was given out before the second. The counter wraps around.
    private static func isOlder(_ first: [UInt8], than second: [UInt8]) -> Bool {
        guard self.isAutomatic(first), self.isAutomatic(second) else { return false }
        func counter(_ identity: [UInt8]) -> UInt32 {
            identity.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
        }
        let distance = counter(second) &- counter(first)
        return distance != 0 && distance < 1 << 31
    }
}
