// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Testing

@Suite struct MonitorTests {
    @Test func asksOnceWithoutALimitAndGivesUpAtOne() {
        let monitor = Monitor(0)
        #expect(monitor.wait(milliseconds: 0) { $0 > 0 ? $0 : nil } == nil)
        #expect(monitor.wait(milliseconds: 1) { $0 > 0 ? $0 : nil } == nil)
        monitor.change { $0 = 3 }
        #expect(monitor.wait(milliseconds: 0) { $0 > 0 ? $0 : nil } == 3)
        #expect(monitor.wait(milliseconds: .max) { $0 } == 3)
    }

    @Test func everyWaiterHearsOfAChange() {
        let monitor = Monitor(0)
        let heard = Monitor(0)
        let threads = (0..<4).map { _ in
            NativeThread(name: "waiter") {
                if monitor.wait(milliseconds: 30_000, until: { $0 == 1 ? true : nil }) == true {
                    heard.change { $0 += 1 }
                }
            }
        }
        monitor.change { $0 = 1 }
        for thread in threads { thread.join() }
        #expect(heard.wait(milliseconds: 0) { $0 } == 4)
    }
}
