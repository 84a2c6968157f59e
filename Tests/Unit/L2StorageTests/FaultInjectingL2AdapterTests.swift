// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Telemetry
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

    @Test func gapsAreAtTheSamePlacesOfEveryBatch() {
        var plan = FaultPlan()
        plan.gapIndices = [1]
        plan.gapTailRatios = [0, 0.5]
        let adapter = self.adapter(plan)
        let objects = self.objects(9)
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        for _ in 0..<2 {
            let failed = adapter.perform(.load(objects)).enumerated().filter { !$0.element.isSuccess }.map(\.offset)
            #expect(failed == [1, 4, 8])
        }
        #expect(adapter.close(milliseconds: 10_000))
    }

    private static func read(_ members: [(String, JSONValue)]) throws -> FaultInjectionConfiguration {
        let object = JSONValue.object([("type", "fault_inject")] + members)
        return try FaultInjectionConfiguration(try L2AdapterConfiguration(object, types: ["fault_inject"]))
    }

    @Test func everyKeyIsRead() throws {
        let found = try Self.read([
            ("inner", ["type": "mock"]), ("rate", .double(0.5)), ("seed", .integer(-3)), ("gap_indices", [2, 4]),
            ("gap_tail_ratios", [0, 0.25]),
        ])
        #expect(found.inner == ["type": "mock"])
        #expect(found.plan.rate == 0.5 && found.plan.gapIndices == [2, 4] && found.plan.gapTailRatios == [0, 0.25])
        #expect(try Self.read([("inner", ["type": "mock"])]).plan == FaultPlan())
    }

    @Test func whatIsNotAcceptedIsNamed() {
        let inner: (String, JSONValue) = ("inner", ["type": "mock"])
        for (members, words) in [
            ([], "'inner' is missing"), ([inner, ("rate", .integer(2))], "'rate' is 2"),
            ([inner, ("gap_indices", .integer(2))], "a list"), ([inner, ("gap_indices", [-1])], "from 0 on"),
            ([inner, ("gap_tail_ratios", [2])], "from 0 to 1"),
            ([inner, ("gap_indexes", [1])], "did you mean 'gap_indices'?"),
        ] as [([(String, JSONValue)], String)] {
            do {
                _ = try Self.read(members)
                Issue.record("accepted: \(words)")
            } catch {
                #expect("\(error)".contains(words))
            }
        }
    }
}
