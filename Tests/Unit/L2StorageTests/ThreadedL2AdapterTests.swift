// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Testing

@Suite struct ThreadedL2AdapterTests {
    private let medium = BlockingMedium()
    private let clock = ManualL2Clock()
    private let received = Received()

    private func adapter(items: Int = 10, bytes: Int = 1 << 20) -> ThreadedL2Adapter {
        ThreadedL2Adapter(
            kind: "blocking", medium: self.medium, limits: L2Limits(workers: 1, items: items, bytes: bytes),
            clock: self.clock)
    }

    private func object(_ number: UInt64, _ counter: ReleaseCounter? = nil) -> L2Object {
        let area = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 16)
        nonisolated(unsafe) let owned = area
        let buffer = L2Buffer(area) {
            owned.deallocate()
            counter?.add()
        }
        return L2Object(key: L2ConformanceSuite.key(number), buffer: buffer)
    }

    private func submit(_ adapter: ThreadedL2Adapter, _ operation: L2Operation, _ deadline: UInt64? = nil)
        -> L2Submission
    {
        let received = self.received
        return adapter.submit(
            L2Batch(operation, deadline: deadline.map { L2Instant(nanoseconds: $0) }) { received.add($0) })
    }

    @Test func anAdapterThatNeverAnswersCostsNoMoreThanTheDeadline() {
        let adapter = self.adapter()
        let counter = ReleaseCounter()
        let first = self.submit(adapter, .load([self.object(1, counter), self.object(2, counter)]), 100)
        #expect(first == .accepted(L2TaskID(1)))
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(1))
        self.clock.set(99)
        adapter.expireOverdue()
        #expect(self.received.all.isEmpty)
        self.clock.set(100)
        adapter.expireOverdue()
        #expect(self.received.all == [[.failed(.expired), .failed(.expired)]])
        // The item that runs keeps its buffer, the other one is free.
        #expect(counter.count == 1)
        #expect(adapter.occupiedItems == 2)
        self.medium.answer(.done(byteCount: 16))
        #expect(adapter.close(milliseconds: 10_000))
        #expect(counter.count == 2)
        #expect(adapter.occupiedItems == 0)
        #expect(self.received.all.count == 1)
        #expect(adapter.counters().answeredLate == 1)
        #expect(adapter.counters().failed == 2)
    }

    @Test func aCancelledTaskIsReportedOnceAndItsQueuedItemsNeverRun() {
        let adapter = self.adapter()
        #expect(self.submit(adapter, .delete([L2ConformanceSuite.key(1)])) == .accepted(L2TaskID(1)))
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(1))
        #expect(self.submit(adapter, .delete([L2ConformanceSuite.key(2)])) == .accepted(L2TaskID(2)))
        adapter.cancel(L2TaskID(2))
        adapter.cancel(L2TaskID(2))
        adapter.cancel(L2TaskID(77))
        #expect(self.received.all == [[.failed(.cancelled)]])
        #expect(self.submit(adapter, .delete([L2ConformanceSuite.key(3)])) == .accepted(L2TaskID(3)))
        self.medium.answer(.done(byteCount: 1))
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(3))
        self.medium.answer(.miss(.absent))
        #expect(adapter.close(milliseconds: 10_000))
        #expect(self.received.all == [[.failed(.cancelled)], [.done(byteCount: 1)], [.miss(.absent)]])
    }

    @Test func refusesMoreThanItsBoundAndTakesWorkAgainLater() {
        let adapter = self.adapter(items: 2)
        #expect(self.submit(adapter, .load([self.object(1), self.object(2)])) == .accepted(L2TaskID(1)))
        #expect(self.submit(adapter, .load([self.object(3)])) == .busy)
        #expect(adapter.counters().refused == 1)
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(1))
        self.medium.answer(.done(byteCount: 16))
        // The second call begins after the first item has left.
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(2))
        #expect(self.submit(adapter, .load([self.object(3)])) == .accepted(L2TaskID(2)))
        for _ in 0..<2 { self.medium.answer(.done(byteCount: 16)) }
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func closingEndsWhatIsQueuedAndWaitsForWhatRuns() {
        let adapter = self.adapter()
        let counter = ReleaseCounter()
        _ = self.submit(adapter, .store([self.object(1, counter)]))
        _ = self.submit(adapter, .store([self.object(2, counter)]))
        #expect(self.medium.awaitCall() == L2ConformanceSuite.key(1))
        #expect(!adapter.close(milliseconds: 1))
        #expect(self.received.all == [[.failed(.closed)], [.failed(.closed)]])
        #expect(counter.count == 1)
        #expect(self.submit(adapter, .store([self.object(3)])) == .closed)
        self.medium.answer(.done(byteCount: 16))
        #expect(adapter.close(milliseconds: 10_000))
        #expect(counter.count == 2)
    }
}
