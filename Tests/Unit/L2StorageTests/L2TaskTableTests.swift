// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import Testing

@testable import L2Storage

@Suite struct L2TaskTableTests {
    private func batch(_ count: Int, deadline: UInt64? = nil) -> L2Batch {
        let keys = (0..<count).map { L2ConformanceSuite.key(UInt64($0)) }
        return L2Batch(.delete(keys), deadline: deadline.map { L2Instant(nanoseconds: $0) }) { _ in }
    }

    @Test func everyOrderOfEventsReportsEachTaskOnceAndEmptiesTheTable() throws {
        // Each digit is an event: 0, 1 finish an item; 2 expires; 3 cancels; 4 ends all.
        for code in 0..<3125 {
            var table = L2TaskTable(itemLimit: 2, byteLimit: 1)
            guard case .accepted(let task) = table.submit(batch(2, deadline: 5)) else {
                Issue.record("an empty table takes a batch")
                return
            }
            var reports = 0
            var finished: Set<Int> = []
            var rest = code
            var events = (0..<5).map { _ in
                defer { rest /= 5 }
                return rest % 5
            }
            events += [0, 1]
            for event in events {
                switch event {
                case 2: reports += table.expire(now: L2Instant(nanoseconds: 5)).count
                case 3: reports += table.end(task, .cancelled) == nil ? 0 : 1
                case 4: reports += table.endAll(.closed).count
                default:
                    guard finished.insert(event).inserted else { continue }
                    let item = L2TaskTable.Item(task: task, index: event)
                    reports += table.finish(item, .done(byteCount: 0), bytes: 0) == nil ? 0 : 1
                }
            }
            #expect(reports == 1)
            #expect(table.openTasks == 0 && table.occupiedItems == 0)
            let counters = table.counters
            #expect(counters.succeeded + counters.failed == 2)
        }
    }

    @Test func boundsItemsButTakesOneBatchOfAnySize() {
        var table = L2TaskTable(itemLimit: 3, byteLimit: 10)
        #expect(table.submit(batch(5)) == .accepted(L2TaskID(1)))
        #expect(table.submit(batch(1)) == .busy)
        for index in 0..<5 {
            _ = table.finish(.init(task: L2TaskID(1), index: index), .miss(.absent), bytes: 0)
        }
        #expect(table.submit(batch(3)) == .accepted(L2TaskID(2)))
        #expect(table.submit(batch(1)) == .busy)
        table.close()
        #expect(table.submit(batch(1)) == .closed)
        #expect(table.counters.missed == 5)
    }
}
