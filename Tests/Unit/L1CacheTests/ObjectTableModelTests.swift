// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import L1Cache

/// Random histories of everything a table can be asked, compared step by step with the naive model.
@Suite struct ObjectTableModelTests {
    private struct Run {
        let unitCount: Int
        var random: SeededGenerator
        var table: ObjectTable
        var model: ObjectTableModel
        var writing: [ObjectHandle] = []
        var leased: [ObjectHandle] = []
        var held: [ObjectHandle] = []
        var quarantined: [ObjectHandle] = []
        var hits = 0
        /// Handles of any age, most of them stale in the end.
        var everSeen: [ObjectHandle] = [
            ObjectHandle(index: 77, generation: 0), ObjectHandle(index: .max, generation: 9),
        ]

        init(seed: UInt64, unitCount: Int) {
            self.unitCount = unitCount
            self.random = SeededGenerator(seed)
            self.table = ObjectTable(unit: 4096, limit: 1000, policy: .lru, seeds: FamilyTableTests.seeds)
            self.table.space.extend(byteCount: unitCount * 4096)
            self.model = ObjectTableModel(unitCount: unitCount)
        }

        mutating func families() -> Range<Int> {
            let first = self.random.below(5)
            return first..<first + 1 + self.random.below(4)
        }

        /// Takes a random part out of a list, in the list's order.
        static func part(of list: inout [ObjectHandle], _ random: inout SeededGenerator) -> [ObjectHandle] {
            var taken: [ObjectHandle] = []
            var kept: [ObjectHandle] = []
            for handle in list { if random.below(3) == 0 { taken.append(handle) } else { kept.append(handle) } }
            list = kept
            return taken
        }

        mutating func step() {
            switch self.random.below(18) {
            case 0, 1: self.store(self.families(), rank: self.random.below(2), group: self.random.below(2))
            case 2, 3: self.storeWhole()
            case 4, 14, 15: self.lookUp()
            case 13, 16: self.commit(self.writing)
            case 5: self.commit(Self.part(of: &self.writing, &self.random))
            case 6: self.abortOrQuarantine()
            case 7: self.hold()
            case 8: self.endLeases()
            case 9: self.endHolds()
            case 10: self.touch()
            case 11: self.useStaleHandles()
            default: self.removeSome()
            }
        }

        /// A prompt's chunks for both ranks and one or two groups.
        mutating func storeWhole() {
            let families = self.families()
            for group in 0...self.random.below(2) {
                for rank in 0..<2 { self.store(families, rank: rank, group: group) }
            }
        }

        mutating func store(_ families: Range<Int>, rank: Int, group: Int) {
            let write = WriteQuery(
                namespace: NamespaceID(0),
                worldSize: 2,
                rank: rank,
                group: group,
                hashes: hashes(families),
                byteCount: 1 + self.random.below(4096)
            )
            var grants: [WriteGrant] = []
            var evicted: [EvictedObject] = []
            let shortage = self.table.reserve(write, mayGrow: false, grants: &grants, evicted: &evicted)
            #expect(shortage == nil)
            let handles = grants.map { grant -> ObjectHandle? in
                if case .granted(let handle, _) = grant { return handle }
                return nil
            }
            let kinds = grants.map { grant in
                switch grant {
                case .granted: "granted"
                case .alreadyResident: "resident"
                case .contended: "contended"
                case .outOfMemory: "full"
                }
            }
            let expected = self.model.reserve(families, rank: rank, group: group, granted: handles)
            #expect(kinds == expected.kinds)
            var evictedFamilies: [Int] = []
            for object in evicted where evictedFamilies.last != Int(object.hash.words.1) {
                evictedFamilies.append(Int(object.hash.words.1))
            }
            #expect(evictedFamilies == expected.evicted)
            self.writing += handles.compactMap { $0 }
            self.everSeen += handles.compactMap { $0 }
        }

        mutating func lookUp() {
            let families = self.families()
            let second: [[PrefixWindow]] = [[], [.everything], [.last(chunks: 1)], [.last(chunks: 2)]]
            let windows = [PrefixWindow.everything] + second[self.random.below(4)]
            let expectedHit = self.model.hit(families, windows: windows)
            let query = PrefixQuery(
                namespace: NamespaceID(0),
                worldSize: 2,
                windows: windows,
                hashes: hashes(families),
                readerCount: 1
            )
            var lease = self.table.acquire(query)
            #expect(lease.chunkCount == expectedHit)
            self.hits += expectedHit > 0 ? 1 : 0
            let expected = self.model.acquire(families, windows: windows)
            let handles = lease.takeAll()
            #expect(Set(handles) == Set(expected) && handles.count == expected.count)
            self.leased += handles
        }

        mutating func commit(_ handles: [ObjectHandle]) {
            self.writing.removeAll { handles.contains($0) }
            let staged = handles.filter { self.model.entries[$0]?.key != nil }
            let committed = self.table.commit(handles)
            #expect(committed.count == staged.count)
            for handle in handles.reversed() {
                self.model.change(handle) {
                    $0.isResident = $0.key != nil
                    $0.isWriting = false
                }
            }
        }

        mutating func abortOrQuarantine() {
            let handles = Self.part(of: &self.writing, &self.random)
            let isQuarantine = self.random.below(2) == 0
            if isQuarantine { self.table.quarantine(handles) } else { self.table.abort(handles) }
            for handle in handles.reversed() {
                self.model.change(handle) {
                    $0.key = nil
                    $0.isWriting = false
                    $0.isQuarantined = isQuarantine
                }
            }
            if isQuarantine { self.quarantined += handles }
        }

        mutating func hold() {
            var pool = self.random.below(2) == 0 ? self.leased : self.writing
            let handles = Self.part(of: &pool, &self.random)
            let isHoldable = handles.allSatisfy { self.model.entries[$0]?.key != nil }
            let places = self.table.hold(handles)
            #expect((places != nil) == isHoldable)
            guard isHoldable else { return }
            #expect(places == handles.map { self.table.place(of: $0.index) })
            for handle in handles { self.model.change(handle) { $0.holds += 1 } }
            self.held += handles
        }

        mutating func endLeases() {
            let handles = Self.part(of: &self.leased, &self.random)
            guard self.random.below(2) == 0 else {
                self.table.release(handles)
                return self.endModelLeases(handles)
            }
            let isHoldable = handles.allSatisfy { self.model.entries[$0]?.key != nil }
            let places = self.table.convertLeasesToHolds(handles.map { ($0, isLast: true) })
            #expect((places != nil) == isHoldable)
            if isHoldable {
                for handle in handles { self.model.change(handle) { $0.holds += 1 } }
                self.held += handles
            }
            self.endModelLeases(handles)
        }

        mutating func endModelLeases(_ handles: [ObjectHandle]) {
            for handle in handles.reversed() { self.model.change(handle) { $0.leases = max(0, $0.leases - 1) } }
        }

        mutating func endHolds() {
            let holds = Self.part(of: &self.held, &self.random)
            self.table.releaseHolds(holds)
            for handle in holds.reversed() { self.model.change(handle) { $0.holds -= 1 } }
            let ended = Self.part(of: &self.quarantined, &self.random)
            self.table.releaseQuarantine(ended)
            for handle in ended { self.model.change(handle) { $0.isQuarantined = false } }
        }

        mutating func touch() {
            let families = self.families()
            self.table.touch(namespace: NamespaceID(0), worldSize: 2, hashes: hashes(families))
            for family in families.reversed() { self.model.markNewest(family) }
        }

        mutating func useStaleHandles() {
            let stale = self.everSeen.filter { self.model.entries[$0] == nil }
            let before = self.table.counts.staleHandleCount
            let committed = self.table.commit(stale)
            #expect(committed.isEmpty)
            self.table.abort(stale)
            self.table.quarantine(stale)
            self.table.releaseQuarantine(stale)
            self.table.release(stale)
            self.table.releaseHolds(stale)
            #expect(self.table.counts.staleHandleCount == before + 6 * stale.count)
            let places = self.table.hold(stale)
            #expect(stale.isEmpty || places == nil)
        }

        mutating func removeSome() {
            switch self.random.below(6) {
            case 0: self.clear(force: true)
            case 1, 2: self.clear(force: false)
            default:
                let count = self.random.below(3)
                var evicted: [EvictedObject] = []
                let expected = min(count, self.model.order.count)
                let removed = self.table.evictOldest(count, into: &evicted)
                #expect(removed == expected)
                for family in self.model.order.prefix(expected) {
                    for member in self.model.handles(of: family) { self.model.entries[member] = nil }
                }
                self.model.order.removeFirst(expected)
            }
        }

        mutating func clear(force: Bool) {
            let removed = self.model.entries.filter { $0.value.key != nil && (force || !$0.value.isPinned) }.map(\.key)
            let evicted = self.table.clear(force: force)
            #expect(evicted.count == removed.count)
            for handle in removed {
                // Order does not matter here: what is cleared leaves the order, and pins do not change.
                self.model.entries[handle]?.leases = 0
                self.model.change(handle) { $0.key = nil }
            }
            let live = Set(self.model.entries.values.compactMap { $0.key?.family })
            self.model.order.removeAll { !live.contains($0) }
        }

        var modelOrder: [Int] { self.model.order }

        var tableOrder: [Int] {
            var order: [Int] = []
            var family = self.table.families.oldest
            while family != FamilyTable.none {
                order.append(Int(self.table.families[family].key.hash.words.1))
                family = self.table.families[family].newer
            }
            return order
        }
    }

    @Test(arguments: [(1, 8), (2, 12), (3, 20), (4, 40), (5, 12)] as [(UInt64, Int)])
    func randomHistoriesMatchTheNaiveModel(_ seed: UInt64, _ unitCount: Int) {
        var run = Run(seed: seed, unitCount: unitCount)
        for step in 0..<3000 {
            run.step()
            let live = Set(
                run.table.objects.indices.map { run.table.handle(of: UInt32($0)) }.filter { run.table.isLive($0) }
            )
            let isAsExpected = live == Set(run.model.entries.keys) && run.tableOrder == run.modelOrder
            let broken = run.table.brokenInvariant
            #expect(isAsExpected && broken == nil, "step \(step): \(broken ?? "live objects or order of use")")
            guard isAsExpected, broken == nil else { return }
        }
        #expect(run.hits > 20)
    }

    @Test func everythingCanBeGivenBack() {
        var run = Run(seed: 9, unitCount: 15)
        for _ in 0..<2000 { run.step() }
        run.table.abort(run.writing)
        run.table.release(run.leased)
        run.table.releaseHolds(run.held)
        run.table.releaseQuarantine(run.quarantined)
        _ = run.table.clear(force: false)
        #expect(run.table.space.usedBytes == 0 && run.table.families.count == 0)
        #expect(run.table.space.ranges.count == 1)
        #expect(run.table.brokenInvariant == nil)
    }
}
