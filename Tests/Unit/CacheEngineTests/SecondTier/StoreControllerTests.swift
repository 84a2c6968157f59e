// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Testing

@testable import CacheEngine

@Suite struct StoreControllerTests {
    private let left = TierID(0)
    private let right = TierID(1)

    private static func at(_ milliseconds: UInt64) -> L2Instant { L2Instant(nanoseconds: milliseconds * 1_000_000) }

    private static func item(
        _ number: UInt64, namespace: UInt32 = 0, bytes: Int = 10, generation: UInt32 = 0
    ) -> StoreController.Item {
        StoreController.Item(
            identity: ObjectIdentity(
                namespace: NamespaceID(namespace), hash: ChunkHash(words: (number, 0, 0, 0)), worldSize: 1, rank: 0,
                group: 0),
            handle: ObjectHandle(index: UInt32(number), generation: generation), byteCount: bytes)
    }

    private func controller(
        tiers: [TierID] = [TierID(0)], _ change: (inout StoreController.Limits) -> Void = { _ in }
    ) -> StoreController {
        var limits = StoreController.Limits()
        change(&limits)
        var controller = StoreController(limits: limits)
        for tier in tiers { controller.add(tier) }
        return controller
    }

    @Test func batchesKeepOrderAndLimits() throws {
        var stores = self.controller {
            $0.batchObjects = 3
            $0.batchBytes = 25
        }
        for number in 1...5 { stores.offer(Self.item(UInt64(number)), to: [self.left]) }
        stores.offer(Self.item(6, namespace: 1), to: [self.left])
        stores.offer(Self.item(7, namespace: 1, bytes: 90), to: [self.left])
        var batches: [[UInt64]] = []
        while let batch = stores.next(for: self.left, now: Self.at(0)) {
            batches.append(batch.items.map(\.identity.hash.words.0))
            _ = stores.finish(batch, endings: batch.items.map { _ in .stored }, now: Self.at(0))
        }
        #expect(batches == [[1, 2], [3, 4], [5], [6], [7]], "by bytes, by namespace, and a large one alone")
        #expect(stores.isIdle)
    }

    @Test func workInFlightIsBounded() throws {
        var stores = self.controller {
            $0.tasks = 2
            $0.batchObjects = 1
        }
        for number in 1...4 { stores.offer(Self.item(UInt64(number)), to: [self.left]) }
        let first = try stores.required(self.left, now: Self.at(0))
        _ = try stores.required(self.left, now: Self.at(0))
        #expect(stores.next(for: self.left, now: Self.at(0)) == nil)
        _ = stores.finish(first, endings: [.stored], now: Self.at(0))
        #expect(stores.next(for: self.left, now: Self.at(0)) != nil)
    }

    @Test func bytesInFlightAreBounded() throws {
        var stores = self.controller {
            $0.bytesInFlight = 25
            $0.batchObjects = 1
        }
        for number in 1...4 { stores.offer(Self.item(UInt64(number)), to: [self.left]) }
        _ = try stores.required(self.left, now: Self.at(0))
        _ = try stores.required(self.left, now: Self.at(0))
        #expect(stores.next(for: self.left, now: Self.at(0)) == nil)
        #expect(stores.bytesInFlight(of: self.left) == 20)
    }

    @Test func anObjectIsQueuedOnceInEachTier() {
        var stores = self.controller(tiers: [self.left, self.right])
        stores.offer(Self.item(1), to: [self.left])
        stores.offer(Self.item(1), to: [self.left, self.right])
        #expect(stores.counters.duplicates == 1)
        #expect(stores.queuedObjects(of: self.left) == 1)
        #expect(stores.queuedObjects(of: self.right) == 1)
    }

    @Test func aFullQueueDropsAndCounts() {
        var stores = self.controller(tiers: [self.left, self.right]) { $0.queuedObjects = 2 }
        for number in 1...3 { stores.offer(Self.item(UInt64(number)), to: [self.left]) }
        stores.offer(Self.item(4, bytes: 5), to: [self.right])
        #expect(stores.counters.dropped == 1)
        #expect(stores.trackedObjects == 3)
        var byBytes = self.controller { $0.queuedBytes = 15 }
        for number in 1...2 { byBytes.offer(Self.item(UInt64(number)), to: [self.left]) }
        #expect(byBytes.counters.dropped == 1)
    }

    @Test func onlyWhatEveryTierHasIsComplete() throws {
        var stores = self.controller(tiers: [self.left, self.right])
        for number in 1...2 { stores.offer(Self.item(UInt64(number)), to: [self.left, self.right]) }
        let first = try stores.required(self.left, now: Self.at(0))
        #expect(stores.finish(first, endings: [.stored, .stored], now: Self.at(0)).isEmpty)
        let second = try stores.required(self.right, now: Self.at(0))
        let complete = stores.finish(second, endings: [.stored, .refused], now: Self.at(0))
        #expect(complete == [Self.item(1).handle])
        #expect(stores.isIdle)
    }

    @Test func aFailureIsTriedAgainLaterAndThenGivenUp() throws {
        var stores = self.controller {
            $0.attempts = 3
            $0.pauseMilliseconds = 100
        }
        stores.offer(Self.item(1), to: [self.left])
        var now: UInt64 = 0
        for pause: UInt64 in [100, 200] {
            let batch = try stores.required(self.left, now: Self.at(now))
            #expect(stores.finish(batch, endings: [.failed], now: Self.at(now)).isEmpty)
            #expect(stores.next(for: self.left, now: Self.at(now + pause - 1)) == nil)
            now += pause
        }
        let last = try stores.required(self.left, now: Self.at(now))
        #expect(stores.finish(last, endings: [.failed], now: Self.at(now)).isEmpty)
        #expect(stores.counters.retried == 2 && stores.counters.failed == 1)
        #expect(stores.isIdle)
        #expect(stores.hasWork(for: self.left, now: Self.at(100_000)) == false)
    }

    @Test func anObjectStoredAnewTakesThePlaceOfOneThatIsGone() throws {
        var stores = self.controller()
        stores.offer(Self.item(1), to: [self.left])
        let batch = try stores.required(self.left, now: Self.at(0))
        stores.offer(Self.item(1, generation: 1), to: [self.left])
        _ = stores.finish(batch, endings: [.gone], now: Self.at(0))
        let again = try stores.required(self.left, now: Self.at(0))
        #expect(again.items.map(\.handle.generation) == [1])
        #expect(stores.finish(again, endings: [.stored], now: Self.at(0)) == [again.items[0].handle])
    }

    @Test func aRemovedTierIsWaitedForNoLonger() throws {
        var stores = self.controller(tiers: [self.left, self.right])
        stores.offer(Self.item(1), to: [self.left, self.right])
        let batch = try stores.required(self.left, now: Self.at(0))
        let lost = try stores.required(self.right, now: Self.at(0))
        _ = stores.finish(batch, endings: [.stored], now: Self.at(0))
        #expect(stores.remove(self.right).isEmpty, "never in the tier that went: it stays in the first one")
        #expect(stores.isIdle)
        #expect(stores.finish(lost, endings: [.stored], now: Self.at(0)).isEmpty, "late")
    }

    @Test func aLateOrRepeatedEndChangesNothing() throws {
        var stores = self.controller()
        stores.offer(Self.item(1), to: [self.left])
        let batch = try stores.required(self.left, now: Self.at(0))
        _ = stores.finish(batch, endings: [.stored], now: Self.at(0))
        _ = stores.finish(batch, endings: [.stored], now: Self.at(0))
        #expect(stores.counters.stored == 1)
        #expect(stores.bytesInFlight(of: self.left) == 0)
    }

    /// Whatever the order of offers, ends and removals: books balance and everything ends.
    @Test(arguments: 0..<200 as Range<UInt64>) func anyOrderOfEventsEndsEverything(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var stores = self.controller(tiers: [self.left, self.right]) {
            $0.queuedObjects = 6
            $0.tasks = 2
            $0.batchObjects = 2
            $0.attempts = 2
        }
        var open: [StoreController.Batch] = []
        var (now, offers, ended): (UInt64, Int, Int) = (0, 0, 0)
        func end(_ batch: StoreController.Batch) {
            let endings: [StoreController.Ending] = [.stored, .failed, .refused, .gone]
            let chosen = batch.items.map { _ in endings[Int(random.next() % 4)] }
            ended += stores.finish(batch, endings: chosen, now: Self.at(now)).count
        }
        for _ in 0..<120 {
            now += random.next() % 200
            switch random.next() % 6 {
            case 0, 1:
                offers += 1
                let tiers = [[self.left], [self.right], [self.left, self.right]][Int(random.next() % 3)]
                stores.offer(Self.item(random.next() % 8, generation: UInt32(offers)), to: tiers)
            case 2, 3:
                let tier = random.next() % 2 == 0 ? self.left : self.right
                if let batch = stores.next(for: tier, now: Self.at(now)) { open.append(batch) }
            case 4 where !open.isEmpty: end(open.remove(at: Int.random(in: open.indices, using: &random)))
            case 5 where random.next() % 30 == 0: _ = stores.remove(self.right)
            default: break
            }
            #expect(stores.batchesInFlight(of: self.left) <= 2)
            #expect(stores.queuedObjects(of: self.left) <= 6 + 4, "retries come back to a full queue")
        }
        while !stores.isIdle {
            now += 10_000
            for tier in [self.left, self.right] {
                while let batch = stores.next(for: tier, now: Self.at(now)) { open.append(batch) }
            }
            guard !open.isEmpty else { break }
            for batch in open { end(batch) }
            open = []
        }
        #expect(stores.isIdle)
        #expect(stores.bytesInFlight(of: self.left) == 0 && stores.bytesInFlight(of: self.right) == 0)
        #expect(ended <= offers)
    }
}

extension StoreController {
    fileprivate mutating func required(_ tier: TierID, now: L2Instant) throws -> Batch {
        let batch = self.next(for: tier, now: now)
        return try #require(batch)
    }
}
