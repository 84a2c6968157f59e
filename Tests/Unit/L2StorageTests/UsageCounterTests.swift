// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import NativeThreads
import Synchronization
import Testing

@testable import L2Storage

@Suite struct UsageCounterTests {
    private static func key(_ number: Int, salt: String = "") -> ObjectKey {
        ObjectKey(
            chunkHash: ChunkHash(words: (UInt64(number), 0, 0, 0)), modelName: "m",
            kvRank: KVRank(worldSize: 1, rank: 0), objectGroup: 0, cacheSalt: salt)
    }

    private static func counted(_ number: Int, bytes: Int = 10, lastUse: Int64 = 0) -> UsageCounter.Counted {
        UsageCounter.Counted(key: Self.key(number), byteCount: bytes, lastUse: lastUse)
    }

    /// Serves pages of a list, and does something before each.
    private static func counter(
        _ accounts: ObjectAccounts, _ pages: [[UsageCounter.Counted]], isBusy: Bool = false,
        before: @escaping @Sendable (Int) -> Bool = { _ in true }
    ) -> UsageCounter {
        let asked = Mutex(0)
        return UsageCounter(accounts: accounts, isBusy: { isBusy }) { cursor, _ in
            let number = asked.withLock { count in
                count += 1
                return count - 1
            }
            guard before(number) else { return .failure(.unavailable) }
            let place = cursor.flatMap { Int($0) } ?? 0
            let next = place + 1 < pages.count ? String(place + 1) : nil
            return .success(UsageCounter.Page(objects: pages[place], next: next))
        }
    }

    @Test func whatWasThereIsCountedOnceAndOrderedByItsUse() {
        let accounts = ObjectAccounts(capacityBytes: 1000)
        #expect(accounts.usage().completeness == .sinceStart)
        let pages = [
            [Self.counted(1, lastUse: 30), Self.counted(2, lastUse: 10)],
            // Scans may name a key twice.
            [Self.counted(3, lastUse: 20), Self.counted(1, lastUse: 30)], [],
        ]
        let counter = Self.counter(accounts, pages)
        #expect(accounts.usage().completeness == .counting)
        counter.count()
        let usage = accounts.usage()
        #expect(usage.objectCount == 3 && usage.usedBytes == 30 && usage.completeness == .complete)
        #expect(accounts.leastRecent(limit: 9) == [2, 3, 1].map { Self.key($0) })
    }

    @Test func whatHappensMeanwhileIsNeitherCountedTwiceNorBroughtBack() {
        let accounts = ObjectAccounts(capacityBytes: nil)
        let pages = [[Self.counted(1), Self.counted(2)], [Self.counted(3), Self.counted(4), Self.counted(5)]]
        let counter = Self.counter(accounts, pages) { number in
            if number == 0 {
                accounts.note(Self.key(1), byteCount: 77)
            } else {
                accounts.note(Self.key(2), byteCount: 10)
                accounts.note(Self.key(9), byteCount: 5)
                // Deleted after the page was read, stored again, and deleted again.
                accounts.forget(Self.key(3))
                accounts.forget(Self.key(4))
                accounts.note(Self.key(4), byteCount: 20)
                accounts.note(Self.key(5), byteCount: 1)
                accounts.forget(Self.key(5))
            }
            return true
        }
        counter.count()
        let usage = accounts.usage()
        #expect(usage.objectCount == 4 && usage.usedBytes == 77 + 10 + 5 + 20)
        // Used in this order, all of them after the count began.
        #expect(accounts.leastRecent(limit: 9) == [1, 2, 9, 4].map { Self.key($0) })
        // Afterwards nothing is remembered of what went.
        accounts.note(Self.key(3), byteCount: 4)
        #expect(accounts.usage().usedBytes == 116)
    }

    @Test func aMediumThatIsAwayIsCountedWhenItComesBack() {
        let accounts = ObjectAccounts(capacityBytes: nil)
        let seen = Mutex<[L2Usage.Completeness]>([])
        let pages = [[Self.counted(1)], [Self.counted(2)]]
        let counter = Self.counter(accounts, pages) { number in
            seen.withLock { $0.append(accounts.usage().completeness) }
            return number == 0 || number > 3
        }
        counter.count()
        #expect(accounts.usage().objectCount == 2 && accounts.usage().completeness == .complete)
        #expect(seen.withLock { $0 } == [.counting, .counting, .counting, .counting, .sinceStart, .counting])
    }

    @Test func aCountStopsAtOnceWhateverItWaitsFor() {
        for isFailing in [true, false] {
            let accounts = ObjectAccounts(capacityBytes: nil)
            let counter = UsageCounter(accounts: accounts, isBusy: { true }) { _, isStopped in
                // A medium that never answers, until nobody waits.
                while isFailing, !isStopped() {}
                return .success(UsageCounter.Page(objects: [], next: "again"))
            }
            counter.start(name: "test-count")
            counter.stop()
            #expect(accounts.usage().completeness == .counting)
        }
    }

    @Test func pausesGrowUpToAMinuteAndACountThatFailedLongBeginsAnew() {
        var progress = CountProgress()
        #expect(progress.next(after: .taken(next: "a")) == .page(cursor: "a"))
        var pauses: [Int] = []
        for number in 1...12 {
            guard case .pause(let milliseconds, let cursor) = progress.next(after: .failed) else {
                Issue.record("no pause")
                return
            }
            pauses.append(milliseconds)
            #expect(cursor == (number < 3 ? "a" : nil))
            #expect(progress.isGettingOn == (number < 3))
        }
        #expect(pauses == [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000])
        #expect(progress.next(after: .taken(next: "b")) == .page(cursor: "b"))
        #expect(progress.isGettingOn)
        #expect(progress.next(after: .taken(next: nil)) == .end)
    }

    /// Others write to the medium and choose the names.
    @Test func namesThatAreAlikeInTheirFirstWordDoNotCollide() {
        let accounts = ObjectAccounts(capacityBytes: nil)
        let objects = (0..<100_000).map { number in
            let hash = ChunkHash(words: (0, 0, 0, UInt64(number)))
            return UsageCounter.Counted(
                key: ObjectKey(
                    chunkHash: hash, modelName: "m", kvRank: KVRank(worldSize: 1, rank: 0), objectGroup: 0,
                    cacheSalt: ""), byteCount: 1, lastUse: 0)
        }
        // Were they to collide, this would take minutes.
        accounts.restore(objects)
        #expect(accounts.usage().objectCount == 100_000)
    }

    /// Against a model: whatever comes in whatever order, sums and order are those of a list.
    @Test func placesInTheOrderOfUseStayWhole() {
        var index = ObjectIndex(capacityBytes: nil)
        var order: [Int] = []
        var places: [Int: Int32] = [:]
        var seed: UInt64 = 7
        func random(_ limit: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % limit
        }
        for _ in 0..<3000 {
            let number = random(30)
            guard let name = index.name(Self.key(number)) else { return }
            switch random(4) {
            case 0:
                index.note(name, byteCount: 1)
                order.removeAll { $0 == number }
                order.append(number)
                places[number] = nil
            case 1:
                index.forget(name)
                order.removeAll { $0 == number }
                places[number] = nil
            case 2:
                let place = index.restore(name, byteCount: 1)
                #expect((place == nil) == order.contains(number))
                if let place {
                    order.insert(number, at: 0)
                    places[number] = place
                }
            default:
                guard let place = places[number] else { continue }
                index.putOldest(place)
                order.removeAll { $0 == number }
                order.insert(number, at: 0)
            }
            #expect(index.usage.objectCount == order.count)
        }
        #expect(index.leastRecent(limit: 100) == order.map { Self.key($0) })
    }
}
