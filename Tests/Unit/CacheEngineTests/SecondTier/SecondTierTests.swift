// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Testing

@testable import CacheEngine

/// Stores and lookups through the second tier, on the whole engine.
@Suite struct SecondTierTests {
    private let text = Prompt(text: 1, chunks: 5)

    /// A server that was started again after the prompt was stored.
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

    // MARK: Stores

    @Test func storesGoToEveryTierUnderTheFieldsNames() throws {
        let script = try TierScript(tiers: 2)
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.settle()
        for medium in script.media {
            let keys = try medium.list(L2ListQuery()).get().keys
            #expect(keys.count == 5)
            for key in keys {
                #expect(key.modelName == "model" && key.kvRank.rawValue == 0x0100_0100)
                #expect(key.objectGroup == 0 && key.cacheSalt.isEmpty)
            }
        }
        #expect(script.engine.secondTier.report().isIdle)
        #expect(script.usage.heldCount == 0)
        #expect(script.usage.residentCount == 5)
    }

    @Test func whatWasStoredIsNotStoredAgain() throws {
        let script = try TierScript()
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        for _ in 0..<3 { script.store(self.text) }
        script.settle()
        #expect(script.engine.secondTier.report().stores.offered == 5)
    }

    @Test func skippingTheFirstTierLeavesLeasedObjectsUntilTheirReaderIsDone() throws {
        let script = try TierScript { $0.secondTier.storePolicy = .skipFirstTier }
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.script.lookup(Prompt(tokens: Array(self.text.tokens.prefix(16))), request: "r")
        #expect(script.query("r") == 2)
        script.settle()
        #expect(script.usage.residentCount == 2)
        #expect(script.retrieves(self.text, 2, request: "r"))
        #expect(script.usage.objectCount == 0)
        #expect(script.usage.usedBytes == 0)
    }

    @Test func nothingLeavesTheFirstTierBeforeEveryTierHasIt() throws {
        let script = try TierScript(tiers: 2) { $0.secondTier.storePolicy = .skipFirstTier }
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.pump()
        script.tiers[0].runAll()
        script.pump()
        #expect(script.usage.residentCount == 5)
        script.settle()
        #expect(script.usage.residentCount == 0)
    }

    @Test func whatIsBeingStoredIsNotEvicted() throws {
        let script = try TierScript { $0.objects = 6 }
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        script.pump()
        // In flight: held. The next prompt finds one place only.
        script.store(Prompt(text: 2, chunks: 5))
        #expect(script.usage.residentCount == 6)
        script.settle()
        try script.restart()
        try script.script.register(.simulated(instance: 1))
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
    }

    @Test func whatLeftBeforeItsTurnIsCountedAndNothingElseIsStoredInItsPlace() throws {
        let script = try TierScript { $0.objects = 5 }
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        script.store(self.text)
        // Not taken up yet, and evicted by the next prompt.
        script.store(Prompt(text: 2, chunks: 5))
        script.settle()
        let report = script.engine.secondTier.report()
        #expect(report.stores.gone == 5)
        #expect(report.stores.stored == 5)
        try script.restart()
        try script.script.register(.simulated(instance: 1))
        for (prompt, hit) in [(self.text, 0), (Prompt(text: 2, chunks: 5), 5)] {
            script.script.lookup(prompt, request: "r")
            script.settle()
            #expect(script.query("r") == hit)
        }
    }

    // MARK: Lookups

    @Test func aRestartedServerServesWhatWasStored() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        #expect(script.query("r") == nil)
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.query("r") == 0, "given out once")
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.usage.usedBytes == 0, "what was loaded goes with its last reader")
    }

    @Test func retainedObjectsStay() throws {
        let script = try self.restarted { $0.secondTier.prefetchPolicy = .retain }
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.usage.residentCount == 5)
        script.script.lookup(self.text, request: "s")
        #expect(script.query("s") == 5, "at once")
        #expect(script.tiers[0].pendingCount == 0)
        #expect(
            script.engine.secondTier.report().stores.offered == 0, "what came from a tier is not stored there again")
    }

    @Test func temporaryObjectsWaitForEveryReader() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r", readers: 2)
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.usage.residentCount == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.usage.residentCount == 0)
    }

    @Test func onlyWhatTheFirstTierLacksIsAskedFor() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.store(self.text, 0..<2)
        script.settle()
        script.script.lookup(self.text, request: "r")
        script.pump()
        script.tiers[0].runItem()
        #expect(script.tiers[0].counters().succeeded == 2 + 1)
        script.settle()
        #expect(script.tiers[0].counters().succeeded == 2 + 3 + 3)
        #expect(script.query("r") == 5)
        #expect(script.retrieves(self.text, 5, request: "r"))
        #expect(script.usage.residentCount == 2, "the first two were stored here")
    }

    @Test func whatTheFirstTierHasIsAnsweredWithoutTheOthers() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.store(self.text)
        script.settle()
        script.script.lookup(self.text, request: "r")
        #expect(script.query("r") == 5)
    }

    @Test func aPrefixThatTheTierLacksEndsThere() throws {
        let script = try self.restarted()
        defer { script.stop() }
        let longer = Prompt(tokens: self.text.tokens + Prompt(text: 9, chunks: 2).tokens)
        script.script.lookup(longer, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        #expect(script.usage.usedBytes == 0)
    }

    @Test func aPoolTooSmallServesWhatFits() throws {
        let script = try self.restarted { $0.objects = 5 }
        defer { script.stop() }
        script.store(Prompt(text: 2, chunks: 2))
        script.script.lookup(Prompt(text: 2, chunks: 2), request: "other")
        #expect(script.query("other") == 2, "leased: cannot be evicted")
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 3)
        #expect(script.retrieves(self.text, 3, request: "r"))
        #expect(script.engine.secondTier.report().prefetches.outOfMemory == 2)
    }

    @Test func aWindowedModelLoadsWhatItsWindowsNeed() throws {
        let script = try TierScript { $0.separatesObjectGroups = true }
        defer { script.stop() }
        let registration = KVCacheRegistration.simulated(instance: 1, windows: [-1, 2 * SimulatedServer.chunkSize])
        try script.script.register(registration)
        script.store(self.text)
        script.settle()
        #expect(try script.media[0].list(L2ListQuery()).get().keys.count == 10)
        try script.restart()
        try script.script.register(registration)
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        #expect(script.usage.residentCount == 5 + 2)
        #expect(script.retrieves(self.text, 5, request: "r"))
    }

    @Test func severalLookupsOfOnePromptLoadItOnce() throws {
        let script = try self.restarted()
        defer { script.stop() }
        for request in ["a", "b", "c"] { script.script.lookup(self.text, request: request) }
        for _ in 0..<20 {
            script.tiers[0].runAll()
            script.pump(after: 2)
        }
        for request in ["a", "b", "c"] { #expect(script.query(request) == 5) }
        #expect(script.tiers[0].counters().succeeded <= 5 * 3 + 5, "15 answers, 5 loads")
        for request in ["a", "b", "c"] { #expect(script.retrieves(self.text, 5, request: request)) }
        #expect(script.usage.usedBytes == 0)
    }

    // MARK: Answers that are waited for

    @Test func aWaitEndsWithTheAnswer() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        let answers = Answers<Int?>()
        for _ in 0..<2 {
            script.engine.awaitAnswer(requestID: "r", connection: EngineScript.scheduler, seconds: 300) {
                answers.add($0)
            }
        }
        #expect(answers.count == 0)
        script.settle()
        #expect(answers.all == [5, 0], "given out once")
    }

    @Test func aWaitEndsAtItsOwnTime() throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        let answers = Answers<Int?>()
        script.engine.awaitAnswer(requestID: "r", connection: EngineScript.scheduler, seconds: 1) { answers.add($0) }
        script.pump(after: 999)
        #expect(answers.count == 0)
        script.pump(after: 1)
        #expect(answers.all == [nil])
        script.settle()
        #expect(script.query("r") == 5, "the lookup goes on")
    }

    @Test(arguments: ["session", "connection", "lookup"]) func aWaitEndsWithItsRequest(end: String) throws {
        let script = try self.restarted()
        defer { script.stop() }
        script.script.lookup(self.text, request: "r")
        script.pump()
        let answers = Answers<Int?>()
        script.engine.awaitAnswer(requestID: "r", connection: EngineScript.scheduler, seconds: 9) { answers.add($0) }
        switch end {
        case "session": script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        case "connection": script.engine.connectionClosed(EngineScript.scheduler)
        default: script.script.lookup(Prompt(text: 3, chunks: 1), request: "r")
        }
        script.pump()
        #expect(answers.all == [0])
        script.settle()
        #expect(script.usage.usedBytes == 0)
        #expect(script.engine.secondTier.report().isIdle)
    }

    @Test func everyWaitIsAnsweredAtTheEnd() throws {
        let script = try self.restarted()
        script.script.lookup(self.text, request: "r")
        let answers = Answers<Int?>()
        script.engine.awaitAnswer(requestID: "r", connection: EngineScript.scheduler, seconds: 9) { answers.add($0) }
        script.pump()
        script.engine.drain(milliseconds: 0)
        #expect(answers.all == [0])
        script.stop()
    }
}
