// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// What the server remembers of one request between its operations.
///
/// Lookups are kept by connection: with tensor parallelism every rank of some engines looks up under the same request id
/// and each must get its own answer.
package struct Session: Sendable {
    package var chain = PrefixChain()
    package var lookups: [LookupRecord] = []
    /// Namespace and world of the latest lookup that named a registered model.
    package var owner: Owner?
    package var lastUsed: Duration

    package struct Owner: Sendable, Equatable {
        package let namespace: NamespaceID
        package let worldSize: Int
    }

    package init(now: Duration) { self.lastUsed = now }

    /// Adds a lookup, ending an earlier one of the same connection. Returns that one's leases, to be released.
    package mutating func record(_ lookup: LookupRecord) -> [ObjectHandle] {
        var released: [ObjectHandle] = []
        if let index = self.index(of: lookup.connection) {
            released = self.lookups[index].lease.takeAll()
            self.lookups.remove(at: index)
        }
        self.lookups.append(lookup)
        return released
    }

    /// The connection's own lookup, or the latest of another one: a worker uses what its scheduler looked up.
    package func lookupIndex(for connection: ConnectionID) -> Int? {
        self.index(of: connection) ?? self.lookups.indices.last
    }

    /// A lookup of this very text: the connection's own, or another one's, if possible one that still has shares.
    package func lookupIndex(for connection: ConnectionID, covering text: PrefixIdentity) -> Int? {
        self.lookups.firstIndex { $0.connection == connection && $0.covers(text) }
            ?? self.lookups.lastIndex { $0.covers(text) && !$0.lease.isEmpty }
            ?? self.lookups.lastIndex { $0.covers(text) }
    }

    /// A lookup that shares its beginning with a key's text: the connection's own, or the latest of another one.
    package func lookupIndex(for connection: ConnectionID, meeting text: KeyText) -> Int? {
        self.lookups.firstIndex { $0.connection == connection && $0.meets(text) }
            ?? self.lookups.lastIndex { $0.meets(text) }
    }

    /// Longest hit, in chunks, among the lookups of this whole prompt, whose last chunk may have been left out; nil
    /// without one. The longest, since nothing tells which of them the asking worker goes by, and to load more than it
    /// expects does no harm.
    package func longestHit(ofPrompt text: KeyText) -> Int? {
        let lengths = text.hashes.count - 1...text.hashes.count
        return self.lookups.filter { $0.meets(text) && lengths.contains($0.text?.hashes.count ?? -1) }
            .map(\.hitChunks).max()
    }

    /// Ends the lookups of one connection, or all of them where it has none of its own. Returns their leases.
    package mutating func endLookups(of connection: ConnectionID) -> [ObjectHandle] {
        guard self.index(of: connection) != nil else { return self.endAllLookups() }
        return self.closeLookups(of: connection)
    }

    /// Ends the lookups of a connection that is gone. Returns their leases.
    package mutating func closeLookups(of connection: ConnectionID) -> [ObjectHandle] {
        var released: [ObjectHandle] = []
        for index in self.lookups.indices where self.lookups[index].connection == connection {
            released += self.lookups[index].lease.takeAll()
        }
        self.lookups.removeAll { $0.connection == connection }
        return released
    }

    /// Ends every lookup. Returns their leases.
    package mutating func endAllLookups() -> [ObjectHandle] {
        var released: [ObjectHandle] = []
        for index in self.lookups.indices { released += self.lookups[index].lease.takeAll() }
        self.lookups.removeAll()
        return released
    }

    private func index(of connection: ConnectionID) -> Int? {
        self.lookups.firstIndex { $0.connection == connection }
    }
}
