// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ZMQTransport

@Suite struct StallWatchTests {
    @Test func turnsInTimeAreNoStall() {
        var watch = StallWatch(limit: .seconds(5), now: .seconds(1))
        let turns = [2, 7, 12].map { watch.turn(now: .seconds($0)) }
        #expect(turns == [false, false, false])
        #expect(!watch.isSocketStale)
    }

    /// The library may still hand over what the kernel kept: an empty socket counts only some time after the stall.
    @Test func theSocketIsStaleUntilItWasEmptyForAWhileAfterwards() {
        var watch = StallWatch(limit: .seconds(5), now: .zero)
        let turns = [6, 7].map { watch.turn(now: .seconds($0)) }
        #expect(turns == [true, false])
        #expect(watch.isSocketStale)
        watch.foundEmpty(since: .seconds(5))
        watch.foundEmpty(since: .seconds(6))
        watch.foundEmpty(since: .seconds(6) + StallWatch.settling - .milliseconds(1))
        #expect(watch.isSocketStale)
        watch.foundEmpty(since: .seconds(6) + StallWatch.settling)
        #expect(!watch.isSocketStale)
    }

    @Test func aSecondStallStartsOver() {
        var watch = StallWatch(limit: .seconds(5), now: .zero)
        let turns = [6, 12].map { watch.turn(now: .seconds($0)) }
        #expect(turns == [true, true])
        watch.foundEmpty(since: .seconds(7))
        #expect(watch.isSocketStale)
    }
}
