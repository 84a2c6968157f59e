// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import NativeThreads

@Suite struct BoundedQueueTests {
    @Test func keepsOrderAcrossWrapAndRefusesWhenFull() {
        let queue = BoundedQueue<Int>(capacity: 100)
        var next = 0
        for round in 0..<50 {
            for _ in 0..<37 { #expect(queue.push(round)) }
            for _ in 0..<37 { #expect(queue.popIfAny() == next) }
            next += 1
        }
        for value in 0..<100 { #expect(queue.push(value)) }
        #expect(!queue.push(100))
        #expect(queue.count == 100)
    }

    @Test func deliversWhatWasQueuedAfterClosingAndThenNothing() {
        let queue = BoundedQueue<Int>(capacity: 4)
        #expect(queue.push(1))
        queue.close()
        #expect(!queue.push(2))
        #expect(queue.pop() == 1)
        #expect(queue.pop() == nil)
    }

    @Test func everyElementReachesExactlyOneOfSeveralThreads() {
        let queue = BoundedQueue<Int>(capacity: 8)
        let seen = Mutex<[Int]>([])
        let readers = (0..<3).map { number in
            NativeThread(name: "reader-\(number)") { @Sendable in
                while let value = queue.pop() { seen.withLock { $0.append(value) } }
            }
        }
        var value = 0
        while value < 2000 {
            if queue.push(value) { value += 1 }
        }
        queue.close()
        for reader in readers { reader.join() }
        #expect(seen.withLock { $0.sorted() } == Array(0..<2000))
    }
}

@Suite struct StopSignalTests {
    @Test func endsAWaitWhenRaisedAndStaysRaised() {
        let signal = StopSignal()
        let wasStopped = Mutex(false)
        let waiter = NativeThread(name: "waiter") { @Sendable in
            wasStopped.withLock { $0 = signal.wait(milliseconds: 600_000) }
        }
        signal.raise()
        waiter.join()
        #expect(wasStopped.withLock { $0 })
        #expect(signal.wait(milliseconds: 600_000))
    }

    @Test func pokeEndsOneWaitWithoutStopping() {
        let signal = StopSignal()
        signal.poke()
        #expect(!signal.wait(milliseconds: 600_000))
        #expect(!signal.wait(milliseconds: 1))
    }
}
