// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Testing

@Suite struct MemoryMediumConformanceTests {
    @Test(arguments: L2ConformanceSuite.checks.map(\.name))
    func conforms(_ name: String) throws {
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        check.run(
            ThreadedL2Adapter(
                kind: "mock", medium: MemoryMedium(), limits: L2Limits(workers: 3), clock: MonotonicL2Clock()))
    }

    @Test(arguments: L2ConformanceSuite.checks.map(\.name))
    func conformsBehindAFaultInjectorWithoutFaults(_ name: String) throws {
        let check = try #require(L2ConformanceSuite.checks.first { $0.name == name })
        let inner = ThreadedL2Adapter(
            kind: "mock", medium: MemoryMedium(), limits: L2Limits(workers: 1), clock: MonotonicL2Clock())
        check.run(FaultInjectingL2Adapter(inner, plan: FaultPlan()))
    }

    @Test func refusesWhatExceedsItsCapacity() {
        let medium = MemoryMedium(capacityBytes: 100)
        func object(_ number: UInt64, _ size: Int) -> L2Object {
            L2Object(key: L2ConformanceSuite.key(number), buffer: L2Buffer(byteCount: size))
        }
        #expect(medium.store(object(1, 60)) == .done(byteCount: 60))
        #expect(medium.store(object(2, 41)) == .failed(.full))
        #expect(medium.store(object(2, 40)) == .done(byteCount: 40))
        #expect(medium.store(object(1, 61)) == .failed(.full))
        #expect(medium.usage().fraction == 1)
        #expect(medium.load(object(1, 60)).isSuccess)
        #expect(medium.leastRecent(limit: 1) == [L2ConformanceSuite.key(2)])
    }
}
