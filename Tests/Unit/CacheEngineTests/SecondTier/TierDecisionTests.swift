// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Storage
import Testing

@testable import CacheEngine

@Suite struct TierEvictionTests {
    private func eviction(
        _ policy: L2AdapterConfiguration.Eviction.Policy, watermark: Double = 0.8, ratio: Double = 0.2
    ) -> TierEviction {
        TierEviction(
            L2AdapterConfiguration.Eviction(policy: policy, triggerWatermark: watermark, evictionRatio: ratio))
    }

    private func usage(_ used: Int, of capacity: Int?, salts: [String: Int] = [:]) -> L2Usage {
        L2Usage(objectCount: used / 10, usedBytes: used, capacityBytes: capacity, bytesBySalt: salts)
    }

    @Test(arguments: [(790, 0), (800, 160), (1000, 200)]) func leastRecentlyUsedHasOneWatermark(used: Int, bytes: Int) {
        let demands = self.eviction(.leastRecentlyUsed).demands(self.usage(used, of: 1000), quotas: [:])
        #expect(demands.reduce(0) { $0 + $1.byteCount } == bytes)
    }

    @Test func nothingIsEvictedWithoutCapacityOrPolicy() {
        #expect(self.eviction(.leastRecentlyUsed).demands(self.usage(1000, of: nil), quotas: [:]).isEmpty)
        #expect(self.eviction(.none).demands(self.usage(1000, of: 1000), quotas: ["": 0]).isEmpty)
        #expect(self.eviction(.leastRecentlyUsed).demands(L2Usage(capacityBytes: 0), quotas: [:]).isEmpty)
    }

    @Test func onlySaltsWithAQuotaAreLimitedByIt() {
        let usage = self.usage(600, of: 10_000, salts: ["a": 100, "b": 300, "c": 200])
        let demands = self.eviction(.isolatedLeastRecentlyUsed).demands(usage, quotas: ["a": 200, "b": 300])
        #expect(demands == [TierEviction.Demand(salt: "b", byteCount: 60)])
        let over = self.eviction(.isolatedLeastRecentlyUsed).demands(usage, quotas: ["b": 100, "c": 0])
        #expect(over == [.init(salt: "b", byteCount: 200), .init(salt: "c", byteCount: 200)])
    }

    @Test func victimsAreTheOldestOfTheirSalt() {
        let keys = ["a", "b", "a", "b", "b"].enumerated().map { number, salt in
            ObjectKey(
                chunkHash: ChunkHash(words: (UInt64(number), 0, 0, 0)), modelName: "m",
                kvRank: KVRank(worldSize: 1, rank: 0), objectGroup: 0, cacheSalt: salt)
        }
        func numbers(_ demands: [TierEviction.Demand], limit: Int = 99) -> [UInt64] {
            TierEviction.victims(demands, oldest: keys, usage: self.usage(50, of: nil), limit: limit)
                .map(\.chunkHash.words.0)
        }
        #expect(numbers([.init(salt: "b", byteCount: 11)]) == [1, 3])
        #expect(numbers([.init(salt: nil, byteCount: 30), .init(salt: "b", byteCount: 15)]) == [0, 1, 2, 3])
        #expect(numbers([.init(salt: nil, byteCount: 999)], limit: 2) == [0, 1])
        #expect(numbers([]).isEmpty)
    }
}

@Suite struct TierBindingsTests {
    private static func key(_ layout: String, tier: Int = 0, model: String = "m") -> TierBindings.Key {
        TierBindings.Key(tier: TierID(tier), modelName: model, layoutSignature: layout)
    }

    private static func at(_ milliseconds: UInt64) -> L2Instant { L2Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func aMediumIsAskedOnce() {
        var bindings = TierBindings()
        #expect(bindings.state(of: Self.key("a"), now: Self.at(0)) == (.pending, true))
        #expect(bindings.state(of: Self.key("a"), now: Self.at(0)) == (.pending, false))
        #expect(bindings.answered(Self.key("a"), .agrees, now: Self.at(0)) == .agrees)
        #expect(bindings.state(of: Self.key("a"), now: Self.at(0)) == (.agrees, false))
        #expect(bindings.state(of: Self.key("a", tier: 1), now: Self.at(0)) == (.pending, true))
    }

    @Test func aFailureIsAskedAgainLater() {
        var bindings = TierBindings()
        _ = bindings.state(of: Self.key("a"), now: Self.at(0))
        let failed = bindings.answered(Self.key("a"), .failed(.unavailable), now: Self.at(0))
        #expect(failed == .failed(until: Self.at(1000)))
        #expect(bindings.state(of: Self.key("a"), now: Self.at(999)).asks == false)
        #expect(bindings.state(of: Self.key("a"), now: Self.at(1000)) == (.pending, true))
    }

    @Test func withoutManifestsTheFirstLayoutOfAModelCounts() {
        var bindings = TierBindings()
        #expect(bindings.answered(Self.key("a"), .unknown, now: Self.at(0)) == .agrees)
        #expect(bindings.answered(Self.key("b"), .unknown, now: Self.at(0)) == .conflicts)
        #expect(bindings.answered(Self.key("b", model: "n"), .unknown, now: Self.at(0)) == .agrees)
        #expect(bindings.answered(Self.key("b", tier: 1), .unknown, now: Self.at(0)) == .agrees)
        bindings.forget(TierID(0))
        #expect(bindings.answered(Self.key("b"), .unknown, now: Self.at(0)) == .agrees)
    }

    @Test func strangersCannotFillTheTable() {
        var bindings = TierBindings()
        for number in 0..<TierBindings.limit { _ = bindings.state(of: Self.key("\(number)"), now: Self.at(0)) }
        #expect(bindings.state(of: Self.key("more"), now: Self.at(0)) == (.conflicts, false))
        #expect(bindings.state(of: Self.key("1"), now: Self.at(0)) == (.pending, false))
    }
}
