// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Testing

@testable import CacheEngine

/// What administrators do to tiers while the server runs.
@Suite struct TierAdministrationTests {
    private let text = Prompt(text: 1, chunks: 5)

    private func script(
        tiers: Int = 1, capacityBytes: Int? = nil, eviction: L2AdapterConfiguration.Eviction? = nil
    ) throws -> TierScript {
        let script = try TierScript(tiers: tiers, capacityBytes: capacityBytes, eviction: eviction)
        try script.script.register(.simulated(instance: 1))
        return script
    }

    @Test func aTierAddedLaterIsWrittenAndAsked() throws {
        let script = try self.script(tiers: 0)
        defer { script.stop() }
        script.store(self.text)
        script.script.lookup(Prompt(text: 2, chunks: 1), request: "r")
        #expect(script.query("r") == 0, "nobody to ask")
        let tier = FakeTier(medium: MemoryMedium(), clock: VirtualTierClock(script.clock))
        _ = script.engine.secondTier.add(tier, description: TierDescription(kind: "fake"))
        script.store(Prompt(text: 2, chunks: 3))
        script.server.settleTiers([tier])
        #expect(tier.usage().objectCount == 3)
    }

    @Test func aRemovedTierLeavesNothingBehind() throws {
        let script = try self.script(tiers: 2)
        defer { script.stop() }
        script.store(self.text)
        script.pump()
        script.script.lookup(Prompt(text: 2, chunks: 2), request: "r")
        script.pump()
        #expect(script.engine.secondTier.remove(script.ids[0], milliseconds: 0))
        #expect(script.engine.secondTier.remove(script.ids[0], milliseconds: 0) == false)
        script.settle()
        #expect(script.query("r") == 0)
        #expect(script.engine.secondTier.reports().map(\.id) == [script.ids[1]])
        #expect(script.media[1].usage().objectCount == 5)
        #expect(script.engine.secondTier.report().isIdle)
        #expect(script.usage.heldCount == 0)
    }

    @Test func warmingLoadsAndKeepsWithoutLeases() throws {
        let script = try self.script()
        defer { script.stop() }
        script.store(self.text)
        script.settle()
        try script.restart()
        #expect(script.engine.warm(modelName: "model", worldSize: 1, tokens: self.text.tokens, cacheSalt: "") == nil)
        try script.script.register(.simulated(instance: 1))
        let short = script.engine.warm(modelName: "model", worldSize: 1, tokens: [1, 2, 3], cacheSalt: "")
        #expect(short?.id == nil && short?.chunks == 0)
        let begun = script.engine.warm(
            modelName: "model", worldSize: 1, tokens: self.text.tokens + Prompt(text: 9, chunks: 1).tokens,
            cacheSalt: "")
        let id = try #require(begun?.id)
        #expect(begun?.chunks == 6)
        #expect(script.engine.takeWarming(id) == .running)
        script.settle()
        #expect(script.engine.takeWarming(id) == .finished(found: 5, total: 6))
        #expect(script.engine.takeWarming(id) == nil)
        #expect(script.usage.residentCount == 5 && script.usage.leasedCount == 0 && script.usage.heldCount == 0)
        script.script.lookup(self.text, request: "r")
        #expect(script.query("r") == 5)
    }

    @Test func objectsAreListedAndDeleted() throws {
        let script = try self.script()
        defer { script.stop() }
        script.store(self.text)
        script.settle()
        let pages = Answers<Result<L2Page, L2Failure>>()
        _ = script.engine.secondTier.list(script.ids[0], L2ListQuery(limit: 3)) { pages.add($0) }
        let page = try #require(try pages.all.first?.get())
        #expect(page.keys.count == 3 && page.next != nil)
        let results = Answers<[L2Result]>()
        _ = script.engine.secondTier.delete(page.keys, from: script.ids[0]) { results.add($0) }
        script.tiers[0].runAll()
        #expect(results.all.first?.allSatisfy(\.isSuccess) == true)
        #expect(script.media[0].usage().objectCount == 2)
        #expect(script.engine.secondTier.list(TierID(99), L2ListQuery()) { _ in } == nil)
        #expect(script.engine.removeFromFirstTier(page.keys, force: false) == [.removed, .removed, .removed])
        #expect(script.engine.removeFromFirstTier(page.keys, force: false) == [.absent, .absent, .absent])
        #expect(script.usage.residentCount == 2)
        script.script.lookup(self.text, request: "r")
        script.settle()
        #expect(script.query("r") ?? 0 < 5)
    }

    @Test func theOldestGoAboveTheWatermark() throws {
        let eviction = L2AdapterConfiguration.Eviction(
            policy: .leastRecentlyUsed, triggerWatermark: 0.8, evictionRatio: 0.5)
        let script = try self.script(capacityBytes: 10 * 256, eviction: eviction)
        defer { script.stop() }
        script.store(self.text)
        script.settle()
        let length = script.media[0].usage().usedBytes / 5
        #expect(length == 256)
        script.pump(after: 1000)
        script.settle()
        #expect(script.media[0].usage().objectCount == 5, "below the watermark")
        script.store(Prompt(text: 2, chunks: 4))
        script.settle()
        script.pump(after: 1000)
        script.settle()
        #expect(script.media[0].usage().objectCount == 4, "half of nine, rounded up")
    }

    @Test func quotasLimitTheirTenantAndAMissingOneWipesNobody() throws {
        let eviction = L2AdapterConfiguration.Eviction(
            policy: .isolatedLeastRecentlyUsed, triggerWatermark: 1, evictionRatio: 0.5)
        let script = try self.script(eviction: eviction)
        defer { script.stop() }
        let medium = script.media[0]
        for (salt, count) in [("a", 6), ("b", 6), ("", 6)] {
            for number in 0..<count {
                let key = ObjectKey(
                    chunkHash: ChunkHash(words: (UInt64(number), 0, 0, 0)), modelName: "model",
                    kvRank: KVRank(worldSize: 1, rank: 0), objectGroup: 0, cacheSalt: salt)
                _ = medium.store(L2Object(key: key, buffer: L2Buffer(byteCount: 100)))
            }
        }
        script.engine.secondTier.setQuota(400, salt: "a")
        for _ in 0..<4 {
            script.pump(after: 1000)
            script.settle()
        }
        #expect(medium.usage().bytesBySalt == ["a": 300, "b": 600, "": 600])
        script.engine.secondTier.setQuota(0, salt: "b")
        script.pump(after: 1000)
        script.settle()
        #expect(medium.usage().bytesBySalt == ["a": 300, "": 600])
        #expect(script.engine.secondTier.removeQuota(salt: "b"))
        #expect(script.engine.secondTier.quotas() == ["a": 400])
        #expect(script.engine.secondTier.usageBySalt() == ["a": 300, "": 600])
    }
}
