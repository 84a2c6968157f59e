// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Testing

@testable import CacheEngine

/// Tiers that are slow, silent, faulty, full or of another layout: a miss and a counter, never a wrong byte or a leak.
@Suite struct TierFailureTests {
    private let text = Prompt(text: 1, chunks: 5)

    private func restarted(
        tiers: Int = 1, _ change: @escaping (inout SimulatedServer.Settings) -> Void = { _ in }
    ) throws -> TierScript {
        let script = try TierScript(tiers: tiers, change)
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.settle()
        try script.restart()
        try script.script.register(.simulated(instance: 1))
        return script
    }

    // MARK: Time

    @Test func aSilentTierCostsTheDeadlineAndNothingElse() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.store(self.text, 0..<2)
        script.settle()
        script.script.lookup(self.text, request: "r")
        script.pump()
        script.pump(after: 2400)
        #expect(script.query("r") == nil)
        script.pump(after: 2600)
        #expect(script.query("r") == 2, "what the first tier has")
        #expect(script.retrieves(self.text, 2, request: "r"))
        #expect(script.usage.heldCount == 0)
    }

    @Test func whatHasArrivedAtTheDeadlineIsServed() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.pump()
        for _ in 0..<5 { script.tiers[0].runItem() }
        script.pump()
        for _ in 0..<3 { script.tiers[0].runItem() }
        script.pump(after: 5000)
        #expect(script.query("r") == 3)
        #expect(script.retrieves(self.text, 3, request: "r"))
        #expect(script.usage.usedBytes == 5 * 4096, "the task still runs")
        script.tiers[0].runAll()
        #expect(script.usage.usedBytes == 0, "its bytes went when the tier let go of them")
    }

    @Test func aLateTransferTouchesNobodysBytes() throws {
        let script = try self.restarted { $0.objects = 12 }
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.pump()
        script.tiers[0].runAll()
        script.pump()
        script.pump(after: 5000)
        #expect(script.query("r") == 0)
        // Two other prompts take all the room that is left, then the late loads write.
        let others = [Prompt(text: 2, chunks: 4), Prompt(text: 3, chunks: 3)]
        for other in others { script.store(other) }
        script.tiers[0].runAll()
        script.settle()
        for other in others {
            script.script.lookup(other, request: "o")
            #expect(script.query("o") == other.chunkCount)
            #expect(script.retrieves(other, other.chunkCount, request: "o"))
        }
    }

    @Test func aSilentTierDoesNotHoldUpAnother() throws {
        let script = try self.restarted(tiers: 2)
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.pump()
        script.tiers[1].runAll()
        script.pump(after: 2500)
        #expect(script.query("r") == nil)
        script.tiers[1].runAll()
        script.pump()
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
    }

    @Test func lookupsWaitInLineAndKeepTheirDeadline() throws {
        let script = try self.restarted { $0.secondTier.prefetches.inFlight = 1 }
        defer { script.stop() }
        script.script.lookup(Prompt(text: 7, chunks: 2), request: "a")
        script.script.lookup(self.text, request: "b")
        script.pump()
        #expect(script.engine.secondTier.report().prefetchesQueued == 1)
        script.pump(after: 2600)
        #expect(script.query("a") == 0)
        script.settle()
        #expect(script.query("b") == 5)
    }

    // MARK: Faults

    @Test func aTierThatFailsToLoadIsReplacedByTheNext() throws {
        let script = try self.restarted(tiers: 2)
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.pump()
        for tier in script.tiers { tier.runAll() }
        script.pump()
        // The first tier promised everything and has lost two of them.
        let keys = try script.media[0].list(L2ListQuery()).get().keys
        for key in keys.prefix(2) { _ = script.media[0].delete(key) }
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.engine.secondTier.report().prefetches.notFound == 2)
    }

    /// Each call of a tier fails once: the lookup is answered, what is served is right, nothing is left.
    @Test(arguments: FaultPlan.Kind.allCases) func everyCallFailingOnceIsAMissAtMost(kind: FaultPlan.Kind) throws {
        for failing in 1...6 {
            let script = try self.restarted()
            defer { script.stop() }
            var plan = FaultPlan()
            plan.kinds = [kind]
            plan.failingCall = failing
            #expect(script.engine.secondTier.remove(script.ids[0], milliseconds: 0))
            let inner = FakeTier(medium: script.media[0], clock: VirtualTierClock(script.clock))
            let adapter = FaultInjectingL2Adapter(inner, plan: plan)
            _ = script.engine.secondTier.add(adapter, description: TierDescription(kind: "fake"))
            script.script.lookup(self.text, request: "r")
            script.server.settleTiers([inner])
            let hit = script.query("r") ?? -1
            let isMissExpected = (kind == .load || kind == .lookup) && failing <= 5
            #expect(hit == (isMissExpected ? failing - 1 : 5))
            if hit > 0 { #expect(script.retrieves(self.text, hit, request: "r")) }
            script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
            script.server.settleTiers([inner])
            #expect(script.usage.usedBytes == 0)
            script.store(Prompt(text: 8, chunks: 5))
            for _ in 0..<4 {
                script.server.settleTiers([inner])
                script.clock.advance(.seconds(1))
            }
            #expect(script.media[0].usage().objectCount == 10, "a failed store is made up for")
            #expect(script.engine.secondTier.report().isIdle)
        }
    }

    @Test func aWrongLengthIsAMiss() throws {
        let script = try self.restarted()
        defer { script.stop() }
        let keys = try script.media[0].list(L2ListQuery()).get().keys
        for key in keys {
            _ = script.media[0].delete(key)
            _ = script.media[0].store(L2Object(key: key, buffer: L2Buffer(copying: [1, 2, 3])))
        }
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 0)
    }

    @Test func aStoreIsTriedAgainAFewTimes() throws {
        let script = try TierScript()
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        for attempt in 1...4 {
            script.pump(after: 10_000)
            #expect(script.tiers[0].pendingCount == 1, "attempt \(attempt)")
            script.pump(after: 60_000)
            script.tiers[0].forgetLate()
        }
        script.pump(after: 10_000)
        #expect(script.tiers[0].pendingCount == 0)
        let report = script.engine.secondTier.report()
        #expect(report.stores.failed == 5)
        #expect(report.stores.retried == 15)
        #expect(report.isIdle)
        #expect(script.usage.heldCount == 0)
    }

    @Test func aDeadTierIsLeftOutAndTriedAgain() throws {
        let script = try self.restarted { $0.secondTier.breaker.failureLimit = 2 }
        defer { script.stop() }
        func ask(_ request: String) { script.script.lookup(self.text, request: request) }
        for request in ["a", "b"] {
            ask(request)
            script.pump()
            script.pump(after: 2600)
            script.tiers[0].forgetLate()
            #expect(script.query(request) == 0)
        }
        #expect(script.engine.secondTier.reports()[0].isAnswering == false)
        ask("c")
        script.pump()
        #expect(script.query("c") == 0, "answered at once: nobody is asked")
        #expect(script.tiers[0].pendingCount == 0)
        script.pump(after: 1000)
        ask("d")
        script.settle()
        #expect(script.query("d") == 5)
        #expect(script.engine.secondTier.reports()[0].breakerOpenings == 1)
    }

    @Test func aFullTierIsNotTriedAgain() throws {
        let script = try TierScript(capacityBytes: 600)
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.settle()
        let report = script.engine.secondTier.report()
        #expect(report.stores.stored + report.stores.failed == 5)
        #expect(report.stores.failed > 0 && report.stores.retried == 0)
        #expect(script.engine.secondTier.reports()[0].isAnswering, "a full medium answers")
    }

    // MARK: Layouts

    @Test func anotherLayoutOfOneModelIsNeitherReadNorWritten() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        try script.script.register(.simulated(instance: 2, elementType: .float16))
        script.script.lookup(self.text, request: "s")
        script.settle()
        #expect(script.query("s") == 0)
        let before = script.tiers[0].counters()
        script.store(self.text, instance: 2)
        script.settle()
        #expect(script.tiers[0].counters() == before, "not asked")
        #expect(script.engine.secondTier.report().stores.failed == 5)
    }

    @Test func aMediumsManifestDecides() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.tiers[0].answerManifests(.conflicts)
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 0)
    }

    @Test func aManifestThatCannotBeReadIsAskedForAgain() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.tiers[0].answerManifests(.failed(.unavailable))
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 0)
        script.tiers[0].answerManifests(.agrees)
        script.pump(after: 1000)
        script.script.lookup(self.text, request: "s")
        script.settle()
        #expect(script.query("s") == 5)
    }
}
