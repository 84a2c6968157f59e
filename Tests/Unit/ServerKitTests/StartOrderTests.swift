// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ServerKit

struct StartOrderTests {
    /// Parts a, b, c that record what happens; `failing` throws.
    private func run(failing: String?) -> (events: [String], error: StartError?) {
        nonisolated(unsafe) var events: [String] = []
        var order = StartOrder(
            ["a", "b", "c"].map { name in
                .init(
                    name: name,
                    start: { () throws(StartError) in
                        events.append("+" + name)
                        if name == failing { throw .failed(part: name, reason: "no") }
                    },
                    stop: { events.append("-" + name) }
                )
            }
        )
        var failure: StartError?
        do throws(StartError) { try order.start() } catch { failure = error }
        #expect(order.running == (failure == nil ? ["a", "b", "c"] : []))
        order.stop()
        order.stop()
        return (events, failure)
    }

    @Test func startsForwardsAndStopsBackwards() {
        let result = self.run(failing: nil)
        #expect(result.events == ["+a", "+b", "+c", "-c", "-b", "-a"])
        #expect(result.error == nil)
    }

    @Test(arguments: [("a", ["+a"]), ("b", ["+a", "+b", "-a"]), ("c", ["+a", "+b", "+c", "-b", "-a"])])
    func aFailureUnwindsWhatRuns(_ failing: String, _ events: [String]) {
        let result = self.run(failing: failing)
        #expect(result.events == events)
        #expect(result.error == .failed(part: failing, reason: "no"))
    }
}

struct InstanceIdentityTests {
    struct Constant: RandomNumberGenerator {
        let value: UInt64
        mutating func next() -> UInt64 { self.value }
    }

    @Test func isAVersion4UUID() {
        var ones = Constant(value: .max)
        #expect(InstanceIdentity.random(using: &ones) == "ffffffff-ffff-4fff-bfff-ffffffffffff")
        var zeros = Constant(value: 0)
        #expect(InstanceIdentity.random(using: &zeros) == "00000000-0000-4000-8000-000000000000")
    }
}
