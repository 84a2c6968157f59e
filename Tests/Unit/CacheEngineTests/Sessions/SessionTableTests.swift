// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import Testing

@testable import CacheEngine

/// The table alone, driven by every short sequence of events and compared with a plain model of what it must keep.
@Suite struct SessionTableTests {
    private static func record(_ connection: UInt64, text: UInt64? = nil, namespace: UInt32 = 0) -> LookupRecord {
        let identity = text.map {
            PrefixIdentity(
                namespace: NamespaceID(namespace), worldSize: 1, hashes: [ChunkHash(words: ($0, 0, 0, 0))])
        }
        return LookupRecord(
            connection: ConnectionID(connection),
            scope: LookupScope(modelName: "m", cacheSalt: "", requestedChunks: 1, startedAt: .zero), text: identity,
            lease: .empty)
    }

    private enum Event: CaseIterable {
        case lookupA1, lookupA2, lookupB1, endA1, endA2, endB1, close1, close2, pass, useA

        var request: String { self == .lookupB1 || self == .endB1 ? "B" : "A" }
        var connection: UInt64 { [.lookupA2, .endA2, .close2].contains(self) ? 2 : 1 }
    }

    /// Which connections hold a lookup of which request.
    private struct Model {
        var holders: [String: [UInt64]] = [:]
        var lastUsed: [String: Int] = [:]
        var now = 0

        mutating func apply(_ event: Event) {
            let (request, connection) = (event.request, event.connection)
            switch event {
            case .lookupA1, .lookupA2, .lookupB1:
                self.holders[request, default: []].removeAll { $0 == connection }
                self.holders[request, default: []].append(connection)
                self.lastUsed[request] = self.now
            case .endA1, .endA2, .endB1:
                if self.holders[request]?.contains(connection) == true {
                    self.holders[request]?.removeAll { $0 == connection }
                } else {
                    self.holders[request] = nil
                }
            case .close1, .close2:
                for key in self.holders.keys { self.holders[key]?.removeAll { $0 == connection } }
            case .pass:
                self.now += 4
                for (key, used) in self.lastUsed where self.now - used >= 10 { self.holders[key] = nil }
            case .useA: self.lastUsed["A"] = self.now
            }
            self.holders = self.holders.filter { !$0.value.isEmpty }
        }
    }

    private static func apply(_ event: Event, to table: inout SessionTable, now: Int) {
        let connection = ConnectionID(event.connection)
        switch event {
        case .lookupA1, .lookupA2, .lookupB1:
            _ = table.record(
                Self.record(event.connection), requestID: event.request, chain: PrefixChain(), owner: nil,
                now: .seconds(now))
        case .endA1, .endA2, .endB1: _ = table.end(event.request, connection: connection)
        case .close1, .close2: _ = table.connectionClosed(connection)
        case .pass: _ = table.expire(now: .seconds(now))
        case .useA: _ = table.withExisting("A", now: .seconds(now)) { _ in }
        }
    }

    @Test func keepsExactlyWhatIsStillHeld() {
        let events = Event.allCases
        let length = 5
        var count = 1
        for _ in 0..<length { count *= events.count }
        var wrong = 0
        for number in 0..<count {
            var table = SessionTable(limit: 8, timeToLive: .seconds(10))
            var model = Model()
            var rest = number
            for _ in 0..<length {
                let event = events[rest % events.count]
                rest /= events.count
                model.apply(event)
                Self.apply(event, to: &table, now: model.now)
            }
            for request in ["A", "B"] {
                let found = table[request]?.lookups.map(\.connection.rawValue) ?? []
                if found != model.holders[request] ?? [] { wrong += 1 }
            }
            if table.count != model.holders.count { wrong += 1 }
            // Whatever happened, the end of both connections ends everything.
            _ = table.connectionClosed(ConnectionID(1))
            _ = table.connectionClosed(ConnectionID(2))
            if table.count != 0 { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test func theSessionUnusedForLongestMakesRoom() {
        var table = SessionTable(limit: 3, timeToLive: .seconds(100))
        for (index, request) in ["a", "b", "c"].enumerated() {
            _ = table.record(
                Self.record(1), requestID: request, chain: PrefixChain(), owner: nil, now: .seconds(index))
        }
        _ = table.withExisting("a", now: .seconds(5)) { _ in }
        _ = table.record(Self.record(1), requestID: "c", chain: PrefixChain(), owner: nil, now: .seconds(6))
        #expect(table.count == 3, "a known request needs no room")
        _ = table.record(Self.record(1), requestID: "d", chain: PrefixChain(), owner: nil, now: .seconds(7))
        #expect(["a", "b", "c", "d"].map { table[$0] != nil } == [true, false, true, true])
    }

    @Test func answersAreCountedUntilTheyAreGiven() {
        var table = SessionTable(limit: 3, timeToLive: .seconds(100))
        for connection in 1...2 as ClosedRange<UInt64> {
            _ = table.record(Self.record(connection), requestID: "a", chain: PrefixChain(), owner: nil, now: .zero)
        }
        #expect(table.unansweredLookups == 2)
        let given = (0..<2).map { _ in
            table.withExisting("a", now: .zero) { $0.lookups[0].consumeAnswer() } ?? nil
        }
        #expect(given == [0, nil])
        #expect(table.unansweredLookups == 1)
    }

    @Test func aLookupServesItsOwnTextOnly() {
        var session = Session(now: .zero)
        _ = session.record(Self.record(1, text: 7))
        _ = session.record(Self.record(2, text: 8))
        _ = session.record(Self.record(3, text: 7, namespace: 5))
        func text(_ number: UInt64, namespace: UInt32 = 0) -> PrefixIdentity {
            PrefixIdentity(
                namespace: NamespaceID(namespace), worldSize: 1, hashes: [ChunkHash(words: (number, 0, 0, 0))])
        }
        #expect(session.lookupIndex(for: ConnectionID(9), covering: text(7)) == 0)
        #expect(session.lookupIndex(for: ConnectionID(1), covering: text(8)) == 1, "its own is of another text")
        #expect(session.lookupIndex(for: ConnectionID(1), covering: text(7, namespace: 5)) == 2)
        #expect(session.lookupIndex(for: ConnectionID(1), covering: text(9)) == nil)
        #expect(session.lookupIndex(for: ConnectionID(2)) == 1)
        #expect(session.lookupIndex(for: ConnectionID(9)) == 2, "the latest")
        let longer = PrefixIdentity(
            namespace: NamespaceID(0), worldSize: 1,
            hashes: [ChunkHash(words: (7, 0, 0, 0)), ChunkHash(words: (1, 0, 0, 0))])
        #expect(session.lookupIndex(for: ConnectionID(1), covering: longer) == nil, "more than was looked up")
    }
}
