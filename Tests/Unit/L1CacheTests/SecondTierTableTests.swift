// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import L1Cache

/// What a tier behind the first one asks of the table.
@Suite struct SecondTierTableTests {
    private static let hashes = (1...3).map { ChunkHash(words: (UInt64($0), 0, 0, 0)) }
    private static let namespace = NamespaceID(0)

    private static func table() -> ObjectTable {
        var table = ObjectTable(unit: 4096, limit: 100, policy: .lru, seeds: (1, 2))
        table.space.extend(byteCount: 4096 * 8)
        return table
    }

    private static func write(_ table: inout ObjectTable, _ hashes: [ChunkHash]) -> [ObjectHandle] {
        var (grants, evicted): ([WriteGrant], [EvictedObject]) = ([], [])
        let write = WriteQuery(
            namespace: Self.namespace, worldSize: 1, rank: 0, group: 0, hashes: hashes, byteCount: 100)
        _ = table.reserve(write, mayGrow: false, grants: &grants, evicted: &evicted)
        return grants.compactMap { if case .granted(let handle, _) = $0 { handle } else { nil } }
    }

    private static func survey(_ table: inout ObjectTable, _ query: PrefixQuery) -> PrefixSurvey {
        var survey = PrefixSurvey(query)
        table.survey(query, chunks: query.hashes.indices, into: &survey)
        return survey
    }

    private static func query(readers: Int = 1) -> PrefixQuery {
        PrefixQuery(
            namespace: Self.namespace, worldSize: 1, windows: [.everything], hashes: Self.hashes, readerCount: readers)
    }

    @Test func aSurveyTellsAndHoldsWhatIsThere() {
        var table = Self.table()
        let handles = Self.write(&table, Self.hashes)
        _ = table.commit([handles[0], handles[2]])
        let survey = Self.survey(&table, Self.query())
        #expect(survey.cells == [.resident, .staged, .resident])
        #expect(survey.holds == [handles[0], handles[2]])
        #expect(table.counts.heldCount == 2)
        table.releaseHolds(survey.holds)
        #expect(table.counts.heldCount == 0)
    }

    @Test func aSurveyOfAnImpossibleWorldIsEmpty() {
        var table = Self.table()
        var query = Self.query()
        for worldSize in [0, -1, 256, Int.max] {
            query.worldSize = worldSize
            #expect(Self.survey(&table, query).cells.isEmpty)
        }
    }

    @Test func temporaryObjectsGoWithTheirLastUser() {
        var table = Self.table()
        let handles = Self.write(&table, Self.hashes)
        _ = table.hold(handles)
        table.markTemporary(handles)
        _ = table.commit(handles)
        var lease = table.acquire(Self.query(readers: 1))
        #expect(lease.chunkCount == 3)
        table.releaseHolds(handles)
        #expect(table.counts.residentCount == 3, "leased")
        let share = lease.takeShare(group: 0, rank: 0, chunk: 0)
        _ = table.convertLeasesToHolds(share.map { [($0.handle, isLast: $0.isLast)] } ?? [])
        table.release(lease.takeAll())
        #expect(table.counts.residentCount == 1, "held")
        table.releaseHolds([handles[0]])
        #expect(table.counts.objectCount == 0)
        #expect(table.space.usedBytes == 0)
        #expect(table.families.count == 0)
    }

    @Test func expelledObjectsGoAtOnceOrWithTheirLastLease() {
        var table = Self.table()
        let handles = Self.write(&table, Self.hashes)
        _ = table.commit(handles)
        var query = Self.query()
        query.hashes = [Self.hashes[0]]
        var lease = table.acquire(query)
        _ = table.hold([handles[1]])
        #expect(table.expel(handles).count == 2)
        #expect(table.counts.residentCount == 1)
        #expect(table.space.usedBytes == 2 * 4096, "one is leased, one still held")
        table.releaseHolds([handles[1]])
        table.release(lease.takeAll())
        #expect(table.space.usedBytes == 0)
        #expect(table.expel(handles).isEmpty, "stale")
    }

    @Test func singleObjectsAreRemovedUnlessInUse() {
        var table = Self.table()
        let handles = Self.write(&table, Self.hashes)
        _ = table.commit(handles)
        _ = table.hold([handles[0]])
        func remove(_ hash: Int, force: Bool = false) -> L1Removal {
            var evicted: [EvictedObject] = []
            let object = CommittedObject(
                namespace: Self.namespace, hash: Self.hashes[hash], rank: 0, group: 0, worldSize: 1, byteCount: 0)
            return table.remove(object, force: force, into: &evicted)
        }
        #expect(remove(0) == .inUse)
        #expect(remove(1) == .removed)
        #expect(remove(1) == .absent)
        #expect(remove(0, force: true) == .removed)
        table.releaseHolds([handles[0]])
        #expect(table.space.usedBytes == 4096)
    }

    @Test func onlyVisibleObjectsAreDescribed() {
        var table = Self.table()
        let handles = Self.write(&table, Self.hashes)
        #expect(table.description(of: handles[0]) == nil)
        _ = table.commit(handles)
        #expect(table.description(of: handles[0])?.hash == Self.hashes[0])
        _ = table.discard([handles[0]])
        #expect(table.description(of: handles[0]) == nil)
    }
}
