// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// All sessions by request id, with the limits that end forgotten ones. A value: time comes in, leases to release go out.
package struct SessionTable: Sendable {
    private var sessions: [String: Session] = [:]
    private var requestsByConnection: [ConnectionID: Set<String>] = [:]
    private let limit: Int
    private let timeToLive: Duration

    package init(limit: Int, timeToLive: Duration) {
        precondition(limit > 0, "a server without sessions serves nobody")
        self.limit = limit
        self.timeToLive = timeToLive
    }

    package var count: Int { self.sessions.count }

    /// Lookups whose answer nobody has asked for yet.
    package var unansweredLookups: Int {
        self.sessions.values.reduce(0) { sum, session in sum + session.lookups.count { !$0.isAnswered } }
    }

    /// The session of a request, or nil.
    package subscript(requestID: String) -> Session? { self.sessions[requestID] }

    /// Changes the session of a request if there is one, and marks it used.
    package mutating func withExisting<Result>(
        _ requestID: String, now: Duration, _ body: (inout Session) -> Result
    ) -> Result? {
        guard let position = self.sessions.index(forKey: requestID) else { return nil }
        self.sessions.values[position].lastUsed = now
        return body(&self.sessions.values[position])
    }

    /// Adds a lookup to a request's session, creating it first where needed. Returns leases to release: those of the
    /// connection's earlier lookup, and those of a session that had to end to make room.
    package mutating func record(
        _ lookup: LookupRecord, requestID: String, chain: PrefixChain, owner: Session.Owner?, now: Duration
    ) -> [ObjectHandle] {
        let displaced = self.sessions[requestID] == nil ? self.makeRoom() : []
        var session = self.sessions.removeValue(forKey: requestID) ?? Session(now: now)
        session.lastUsed = now
        session.chain = chain
        session.owner = owner ?? session.owner
        let replaced = session.record(lookup)
        self.sessions[requestID] = session
        self.requestsByConnection[lookup.connection, default: []].insert(requestID)
        return replaced + displaced
    }

    /// Gives a finished prefetch's result to its lookup. Returns leases to release, all of the new one where the lookup
    /// is gone.
    package mutating func complete(
        _ prefetch: PrefetchTicket, lease: ReadLease, loadedObjects: Int
    ) -> (released: [ObjectHandle], connection: ConnectionID?) {
        var lease = lease
        guard let position = self.sessions.index(forKey: prefetch.requestID),
            let index = self.sessions.values[position].lookups.firstIndex(where: { $0.prefetch === prefetch })
        else { return (lease.takeAll(), nil) }
        let released = self.sessions.values[position].lookups[index].complete(
            lease: lease, loadedObjects: loadedObjects)
        return (released, self.sessions.values[position].lookups[index].connection)
    }

    /// Ends the sessions unused for longest: a sixty-fourth of all at a time, at least one. The search reads every
    /// session, and at the limit each new request would otherwise pay for one.
    private mutating func makeRoom() -> [ObjectHandle] {
        guard self.sessions.count >= self.limit else { return [] }
        let byAge = self.sessions.map { (request: $0.key, lastUsed: $0.value.lastUsed) }
            .sorted { $0.lastUsed < $1.lastUsed }
        return byAge.prefix(max(1, self.limit / 64)).flatMap { self.endAndRemove($0.request) }
    }

    /// Ends what one connection holds of a request; the session goes when nobody holds anything. Returns leases to
    /// release and the session as it was, or nil for an unknown request.
    package mutating func end(
        _ requestID: String, connection: ConnectionID
    ) -> (released: [ObjectHandle], session: Session)? {
        guard var session = self.sessions[requestID] else { return nil }
        let before = session
        let released = session.endLookups(of: connection)
        if session.lookups.isEmpty {
            _ = self.remove(requestID)
        } else {
            self.sessions[requestID] = session
            self.forget(requestID, of: connection)
        }
        return (released, before)
    }

    /// Ends every lookup of a connection that is gone. Returns leases to release.
    package mutating func connectionClosed(_ connection: ConnectionID) -> [ObjectHandle] {
        var released: [ObjectHandle] = []
        for requestID in self.requestsByConnection.removeValue(forKey: connection) ?? [] {
            guard var session = self.sessions[requestID] else { continue }
            released += session.closeLookups(of: connection)
            if session.lookups.isEmpty {
                _ = self.remove(requestID)
            } else {
                self.sessions[requestID] = session
            }
        }
        return released
    }

    /// Ends sessions that nobody used for the time to live. Returns leases to release.
    package mutating func expire(now: Duration) -> [ObjectHandle] {
        let expired = self.sessions.filter { now - $0.value.lastUsed >= self.timeToLive }.map(\.key)
        return expired.flatMap { self.endAndRemove($0) }
    }

    private mutating func endAndRemove(_ requestID: String) -> [ObjectHandle] {
        guard var session = self.remove(requestID) else { return [] }
        return session.endAllLookups()
    }

    private mutating func remove(_ requestID: String) -> Session? {
        guard let session = self.sessions.removeValue(forKey: requestID) else { return nil }
        for lookup in session.lookups { self.forget(requestID, of: lookup.connection) }
        return session
    }

    private mutating func forget(_ requestID: String, of connection: ConnectionID) {
        self.requestsByConnection[connection]?.remove(requestID)
        if self.requestsByConnection[connection]?.isEmpty == true { self.requestsByConnection[connection] = nil }
    }
}
