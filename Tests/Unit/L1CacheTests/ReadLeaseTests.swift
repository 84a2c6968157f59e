// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L1Cache

@Suite struct ReadLeaseTests {
    /// Two groups of two ranks: all four chunks of group 0, the last one of group 1.
    private func lease(shares: UInt32) -> ReadLease {
        let cells = (0..<10).map { ReadLease.Cell(handle: ObjectHandle(index: $0, generation: 7), shares: shares) }
        return ReadLease(chunkCount: 4, worldSize: 2, retainedRanges: [0..<4, 3..<4], cells: cells)
    }

    @Test func everyCellHasItsPlace() {
        var lease = self.lease(shares: 1)
        var seen: [UInt32] = []
        for group in 0..<2 {
            for chunk in 0..<4 {
                for rank in 0..<2 {
                    if let share = lease.takeShare(group: group, rank: rank, chunk: chunk) {
                        #expect(share.isLast)
                        seen.append(share.handle.index)
                    }
                }
            }
        }
        #expect(seen == Array(0..<10))
        #expect(lease.isEmpty)
        let rest = lease.takeAll()
        #expect(rest == [])
    }

    @Test func theLastOfSeveralSharesEndsTheLease() {
        var lease = self.lease(shares: 3)
        let take = { (lease: inout ReadLease) in lease.takeShare(group: 0, rank: 1, chunk: 2)?.isLast }
        let answers = [take(&lease), take(&lease), take(&lease), take(&lease)]
        #expect(answers == [false, false, true, nil])
        let rest = lease.takeAll()
        #expect(rest.count == 9)
    }

    @Test func takingAllGivesEachOpenCellOnceAndEmpties() {
        var lease = self.lease(shares: 2)
        _ = lease.takeShare(group: 0, rank: 0, chunk: 0)
        let all = lease.takeAll()
        #expect(all.map(\.index) == Array(0..<10))
        #expect(lease.isEmpty)
        let share = lease.takeShare(group: 0, rank: 0, chunk: 1)
        let rest = lease.takeAll()
        #expect(share == nil && rest == [])
    }

    @Test func placesOutsideAreRefused() {
        var lease = self.lease(shares: 1)
        for (group, rank, chunk) in [(-1, 0, 0), (2, 0, 0), (0, -1, 0), (0, 2, 0), (0, 0, -1), (0, 0, 4), (1, 0, 2)] {
            let share = lease.takeShare(group: group, rank: rank, chunk: chunk)
            #expect(share == nil)
        }
        #expect(lease.retained(group: 1) == 3..<4)
        #expect(lease.retained(group: 2).isEmpty && lease.retained(group: -1).isEmpty)
    }

    @Test func theEmptyLeaseHasNothing() {
        var lease = ReadLease.empty
        #expect(lease.isEmpty && lease.chunkCount == 0 && lease.groupCount == 0)
        let share = lease.takeShare(group: 0, rank: 0, chunk: 0)
        let rest = lease.takeAll()
        #expect(share == nil && rest == [])
    }
}
