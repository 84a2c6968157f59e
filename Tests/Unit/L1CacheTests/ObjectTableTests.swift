// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import L1Cache

/// What each event does to one object, by the state it is in.
@Suite struct ObjectTableTests {
    enum Event: String, CaseIterable {
        case commit, abort, quarantine, releaseQuarantine, hold, releaseHold, acquire, release, clear, clearForced
    }

    /// One object in a table of two units, brought into a state.
    struct Scene {
        var table = ObjectTable(unit: 4096, limit: 10, policy: .lru, seeds: FamilyTableTests.seeds)
        var handle = ObjectHandle(index: 0, generation: 0)

        init(_ events: [Event]) {
            self.table.space.extend(byteCount: 2 * 4096)
            var grants: [WriteGrant] = []
            var evicted: [EvictedObject] = []
            _ = self.table.reserve(Self.write(hashes(0..<1)), mayGrow: false, grants: &grants, evicted: &evicted)
            if case .granted(let handle, _) = grants[0] { self.handle = handle }
            for event in events { self.take(event) }
        }

        static func write(_ hashes: [ChunkHash], byteCount: Int = 100) -> WriteQuery {
            WriteQuery(namespace: NamespaceID(0), worldSize: 1, rank: 0, group: 0, hashes: hashes, byteCount: byteCount)
        }

        static func query(_ hashes: [ChunkHash]) -> PrefixQuery {
            PrefixQuery(
                namespace: NamespaceID(0),
                worldSize: 1,
                windows: [.everything],
                hashes: hashes,
                readerCount: 1
            )
        }

        mutating func take(_ event: Event) {
            let handles = [self.handle]
            switch event {
            case .commit: _ = self.table.commit(handles)
            case .abort: self.table.abort(handles)
            case .quarantine: self.table.quarantine(handles)
            case .releaseQuarantine: self.table.releaseQuarantine(handles)
            case .hold: _ = self.table.hold(handles)
            case .releaseHold: self.table.releaseHolds(handles)
            case .acquire: _ = self.table.acquire(Self.query(hashes(0..<1)))
            case .release: self.table.release(handles)
            case .clear: _ = self.table.clear(force: false)
            case .clearForced: _ = self.table.clear(force: true)
            }
        }

        /// Phase, leases, holds, and what else keeps the bytes.
        var summary: String {
            guard self.table.isLive(self.handle) else { return "gone" }
            let object = self.table.objects[Int(self.handle.index)]
            return "\(object.phase)" + (object.leases > 0 ? " leased" : "") + (object.holds > 0 ? " held" : "")
                + (object.isQuarantined ? " quarantined" : "")
                + (object.isWriting && object.phase == .detached ? " written" : "")
        }
    }

    /// State, the events that lead to it, and what each event of `Event.allCases` makes of it.
    static let states: [(name: String, path: [Event], after: [String])] = [
        (
            "staged", [],
            [
                "resident", "gone", "detached quarantined", "staged", "staged held", "staged", "staged", "staged",
                "staged", "detached written",
            ]
        ),
        (
            "staged held", [.hold],
            [
                "resident held", "detached held", "detached held quarantined", "staged held", "staged held", "staged",
                "staged held", "staged held", "staged held", "detached held written",
            ]
        ),
        (
            "resident", [.commit],
            [
                "resident", "resident", "resident", "resident", "resident held", "resident", "resident leased",
                "resident", "gone", "gone",
            ]
        ),
        (
            "resident leased", [.commit, .acquire],
            [
                "resident leased", "resident leased", "resident leased", "resident leased", "resident leased held",
                "resident leased", "resident leased", "resident", "resident leased", "gone",
            ]
        ),
        (
            "resident held", [.commit, .hold],
            [
                "resident held", "resident held", "resident held", "resident held", "resident held", "resident",
                "resident leased held", "resident held", "resident held", "detached held",
            ]
        ),
        (
            "resident leased held", [.commit, .acquire, .hold],
            [
                "resident leased held", "resident leased held", "resident leased held", "resident leased held",
                "resident leased held", "resident leased", "resident leased held", "resident held",
                "resident leased held", "detached held",
            ]
        ),
        (
            "detached held", [.commit, .hold, .clearForced],
            [
                "detached held", "detached held", "detached held", "detached held", "detached held", "gone",
                "detached held", "detached held", "detached held", "detached held",
            ]
        ),
        (
            "detached written", [.clearForced],
            [
                "gone", "gone", "detached quarantined", "detached written", "detached written", "detached written",
                "detached written", "detached written", "detached written", "detached written",
            ]
        ),
        (
            "detached quarantined", [.quarantine],
            [
                "detached quarantined", "detached quarantined", "detached quarantined", "gone",
                "detached quarantined", "detached quarantined", "detached quarantined", "detached quarantined",
                "detached quarantined", "detached quarantined",
            ]
        ),
        ("gone", [.abort], Array(repeating: "gone", count: 10)),
    ]

    @Test(arguments: states.indices)
    func everyEventInEveryStateDoesWhatTheTableSays(_ index: Int) {
        let state = Self.states[index]
        #expect(Scene(state.path).summary == state.name)
        for (event, after) in zip(Event.allCases, state.after) {
            let scene = Scene(state.path + [event])
            #expect(scene.summary == after, "\(state.name), \(event)")
            #expect(scene.table.brokenInvariant == nil, "\(state.name), \(event)")
        }
    }

    @Test func aStaleHandleNeverReachesTheNextObjectInItsPlace() {
        var scene = Scene([.abort])
        let stale = scene.handle
        let next = scene.reserve(hashes(5..<6))
        #expect(next.count == 1 && next[0].index == stale.index && next[0].generation != stale.generation)
        _ = scene.table.commit([stale])
        scene.table.abort([stale])
        let places = scene.table.hold([stale])
        #expect(places == nil)
        #expect(scene.table.counts.stagedCount == 1)
    }

    @Test func holdingIsAllOrNothing() {
        var scene = Scene([.commit])
        let gone = ObjectHandle(index: 9, generation: 0)
        let places = scene.table.hold([scene.handle, gone])
        #expect(places == nil)
        #expect(scene.summary == "resident")
        let twice = scene.table.hold([scene.handle, scene.handle])
        #expect(twice?.count == 2)
        scene.take(.releaseHold)
        #expect(scene.summary == "resident held")
    }

    @Test func tailsOfAPromptAreEvictedFirst() {
        var table = ObjectTable(unit: 4096, limit: 100, policy: .lru, seeds: FamilyTableTests.seeds)
        table.space.extend(byteCount: 8 * 4096)
        let first = table.store(hashes(0..<4))
        let second = table.store(hashes(10..<14))
        #expect(first.count == 4 && second.count == 4)
        table.touch(namespace: NamespaceID(0), worldSize: 1, hashes: hashes(0..<4))
        var evicted: [EvictedObject] = []
        let removed = table.evictOldest(6, into: &evicted)
        #expect(removed == 6)
        #expect(evicted.map { Int($0.hash.words.1) } == [13, 12, 11, 10, 3, 2])
    }

    @Test func aStoreGetsItsLongestPrefixWhenEverythingElseIsPinned() {
        var table = ObjectTable(unit: 4096, limit: 100, policy: .lru, seeds: FamilyTableTests.seeds)
        table.space.extend(byteCount: 4 * 4096)
        _ = table.store(hashes(0..<2))
        _ = table.acquire(Scene.query(hashes(0..<1)))
        var grants: [WriteGrant] = []
        var evicted: [EvictedObject] = []
        let query = Scene.write([hash(20), hash(0), hash(21), hash(22), hash(23), hash(0)])
        _ = table.reserve(query, mayGrow: false, grants: &grants, evicted: &evicted)
        #expect(evicted.map { Int($0.hash.words.1) } == [1])
        let kinds = grants.map { if case .granted = $0 { true } else { false } }
        #expect(kinds == [true, false, true, true, false, false])
        #expect(grants[1] == .alreadyResident && grants[4] == .outOfMemory && grants[5] == .alreadyResident)
    }

    @Test func aStoreNeverEvictsTheFamiliesItBelongsTo() {
        var table = ObjectTable(unit: 4096, limit: 100, policy: .lru, seeds: FamilyTableTests.seeds)
        table.space.extend(byteCount: 4 * 4096)
        _ = table.store(hashes(0..<3))
        var query = Scene.write(hashes(0..<3))
        query.group = 1
        var grants: [WriteGrant] = []
        var evicted: [EvictedObject] = []
        _ = table.reserve(query, mayGrow: false, grants: &grants, evicted: &evicted)
        #expect(evicted.isEmpty)
        #expect(grants.count { $0 == .outOfMemory } == 2)
    }

    @Test func noopEvictsNothing() {
        var table = ObjectTable(unit: 4096, limit: 100, policy: .noop, seeds: FamilyTableTests.seeds)
        table.space.extend(byteCount: 2 * 4096)
        #expect(table.store(hashes(0..<3)).count == 2)
        var evicted: [EvictedObject] = []
        let removed = table.evictOldest(5, into: &evicted)
        #expect(removed == 0 && table.counts.residentCount == 2)
    }

    @Test func moreObjectsThanTheLimitMakeTheOldestGo() {
        var table = ObjectTable(unit: 4096, limit: 3, policy: .lru, seeds: FamilyTableTests.seeds)
        table.space.extend(byteCount: 100 * 4096)
        _ = table.store(hashes(0..<3))
        #expect(table.store(hashes(10..<12)).count == 2)
        #expect(table.counts.objectCount == 3)
    }

    @Test func senselessQuestionsGetHarmlessAnswers() {
        var scene = Scene([.commit])
        for worldSize in [-1, 0, 256, Int.max] {
            var query = Scene.query(hashes(0..<1))
            query.worldSize = worldSize
            #expect(scene.table.acquire(query).isEmpty)
        }
        var query = Scene.query([])
        #expect(scene.table.acquire(query).isEmpty)
        query = Scene.query(hashes(0..<1))
        query.windows = []
        #expect(scene.table.acquire(query).isEmpty)
        var writes = Array(repeating: Scene.write(hashes(5..<7)), count: 6)
        writes[0].worldSize = 300
        writes[1].rank = 1
        writes[2].rank = -1
        writes[3].group = 1 << 16
        writes[4].byteCount = 0
        writes[5].byteCount = .max
        for write in writes {
            var grants: [WriteGrant] = []
            var evicted: [EvictedObject] = []
            let shortage = scene.table.reserve(write, mayGrow: true, grants: &grants, evicted: &evicted)
            #expect(shortage == nil && grants == [.outOfMemory, .outOfMemory] && evicted.isEmpty)
        }
        #expect(scene.table.brokenInvariant == nil)
    }

    @Test func readersShareOneLeaseAndTheLastOneEndsIt() {
        var scene = Scene([.commit])
        var query = Scene.query(hashes(0..<1))
        query.readerCount = 2
        var lease = scene.table.acquire(query)
        let first = lease.takeShare(group: 0, rank: 0, chunk: 0)
        #expect(first?.isLast == false)
        _ = scene.table.convertLeasesToHolds([first].compactMap { $0 }.map { ($0.handle, isLast: $0.isLast) })
        #expect(scene.summary == "resident leased held")
        let second = lease.takeShare(group: 0, rank: 0, chunk: 0)
        _ = scene.table.convertLeasesToHolds([second].compactMap { $0 }.map { ($0.handle, isLast: $0.isLast) })
        #expect(scene.summary == "resident held")
    }
}

extension ObjectTableTests.Scene {
    mutating func reserve(_ hashes: [ChunkHash]) -> [ObjectHandle] { self.table.reserveAll(hashes) }
}

extension ObjectTable {
    mutating func reserveAll(_ hashes: [ChunkHash]) -> [ObjectHandle] {
        var grants: [WriteGrant] = []
        var evicted: [EvictedObject] = []
        let write = ObjectTableTests.Scene.write(hashes)
        _ = self.reserve(write, mayGrow: false, grants: &grants, evicted: &evicted)
        return grants.compactMap { if case .granted(let handle, _) = $0 { handle } else { nil } }
    }

    /// Reserves and commits; the objects that found room.
    mutating func store(_ hashes: [ChunkHash]) -> [ObjectHandle] {
        let handles = self.reserveAll(hashes)
        _ = self.commit(handles)
        return handles
    }
}
