// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Testing

@Suite struct FaultInjectingL2AdapterTests {
    private func adapter(_ plan: FaultPlan) -> FaultInjectingL2Adapter {
        let inner = ThreadedL2Adapter(
            kind: "mock", medium: MemoryMedium(), limits: L2Limits(workers: 2), clock: MonotonicL2Clock())
        return FaultInjectingL2Adapter(inner, plan: plan)
    }

    private func objects(_ count: Int) -> [L2Object] {
        (0..<count).map { number in
            // Hashes are spread evenly, as real ones are.
            L2Object(
                key: L2ConformanceSuite.key(UInt64(number) &* 0x9E37_79B9_7F4A_7C15), buffer: L2Buffer(byteCount: 4))
        }
    }

    @Test func aStoreThatFailsIsNeverVisible() {
        var plan = FaultPlan()
        plan.kinds = [.store]
        plan.failingCall = 2
        let adapter = self.adapter(plan)
        let objects = self.objects(3)
        let stored: [L2Result] = [.done(byteCount: 4), .failed(.injected), .done(byteCount: 4)]
        #expect(adapter.perform(.store(objects)) == stored)
        let found: [L2Result] = [.done(byteCount: 4), .miss(.absent), .done(byteCount: 4)]
        #expect(adapter.perform(.load(objects)) == found)
        #expect(adapter.injectedCount == 1)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func theSameKeysFailEveryTimeAtTheGivenRate() {
        var plan = FaultPlan()
        plan.rate = 0.25
        plan.seed = 7
        let adapter = self.adapter(plan)
        let objects = self.objects(2000)
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        let first = adapter.perform(.load(objects))
        #expect(adapter.perform(.load(objects)) == first)
        let failed = first.count(where: { !$0.isSuccess })
        #expect((400...600).contains(failed))
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aStickyFaultLastsUntilThePlanChanges() {
        var plan = FaultPlan()
        plan.kinds = [.lookup]
        plan.failingCall = 1
        plan.isSticky = true
        let adapter = self.adapter(plan)
        let probe = L2Probe(key: L2ConformanceSuite.key(1), byteCount: 1)
        for _ in 0..<3 { #expect(adapter.perform(.lookup([probe])) == [.failed(.injected)]) }
        adapter.use(FaultPlan())
        #expect(adapter.perform(.lookup([probe])) == [.miss(.absent)])
        #expect(adapter.close(milliseconds: 10_000))
    }
}
