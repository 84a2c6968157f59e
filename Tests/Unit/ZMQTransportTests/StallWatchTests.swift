// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ZMQTransport

@Suite struct StallWatchTests {
    @Test func turnsInTimeAreNoStall() {
        var watch = StallWatch(limit: .seconds(5), now: .seconds(1))
        for second in [2, 7, 12] { #expect(!watch.turn(now: .seconds(second))) }
        #expect(!watch.isSocketStale)
    }

    /// The library may still hand over what the kernel kept: an empty socket counts only some time after the stall.
    @Test func theSocketIsStaleUntilItWasEmptyForAWhileAfterwards() {
        var watch = StallWatch(limit: .seconds(5), now: .zero)
        #expect(watch.turn(now: .seconds(6)))
        #expect(!watch.turn(now: .seconds(7)))
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
        #expect(watch.turn(now: .seconds(6)))
        #expect(watch.turn(now: .seconds(12)))
        watch.foundEmpty(since: .seconds(7))
        #expect(watch.isSocketStale)
    }
}
