// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization
import Testing

@testable import L1Cache

/// Stores that outrun the thread that commits memory.
@Suite struct L1CacheGrowthTests {
    static let mebibyte = 1 << 20

    private func make(_ capacity: Int, _ system: FaultySystem, listener: RecordingListener? = nil) throws -> L1Cache {
        try L1CacheTests.make(units: capacity / L1CacheTests.unit, listener: listener, system: system) {
            $0.headStartBytes = Self.mebibyte
            $0.growthStepBytes = 8 * Self.mebibyte
        }
    }

    private func store(_ cache: L1Cache, _ range: Range<Int>) -> Int {
        let granted = L1CacheTests.granted(cache.reserve(L1CacheTests.write(range, byteCount: Self.mebibyte)))
        cache.commit(granted)
        return granted.count
    }

    @Test func aStoreCommitsALittleAndLeavesOutTheRest() throws {
        let (system, listener) = (FaultySystem(), RecordingListener())
        let cache = try self.make(64 * Self.mebibyte, system, listener: listener)
        defer {
            listener.cache.withLock { $0 = nil }
            cache.stop()
        }
        #expect(self.store(cache, 0..<10) == 4)
        #expect(self.store(cache, 20..<30) == 4)
        #expect(system.log.withLock { $0.ranges.allSatisfy { $0.count <= 4 * Self.mebibyte } })
        #expect(listener.record.withLock { $0.evicted.isEmpty && $0.failures == [6, 6] })
        #expect(cache.acquire(L1CacheTests.query(0..<10)).chunkCount == 4, "the front of the prompt")
    }

    @Test func theHeadStartGrowsUntilEverythingIsCommitted() throws {
        let cache = try self.make(64 * Self.mebibyte, FaultySystem())
        defer { cache.stop() }
        var (next, rounds) = (0, 0)
        while cache.usage().committedBytes < 64 * Self.mebibyte, rounds < 20 {
            _ = self.store(cache, next..<next + 24)
            next += 24
            rounds += 1
            #expect(cache.growToHeadStart())
        }
        #expect(rounds <= 4, "doubled each time")
        #expect(self.store(cache, next..<next + 60) == 60, "evicts now")
    }

    @Test func aLargeObjectWaitsForTheGrowthThread() throws {
        let cache = try self.make(64 * Self.mebibyte, FaultySystem())
        defer { cache.stop() }
        let write = L1CacheTests.write(0..<1, byteCount: 6 * Self.mebibyte)
        #expect(cache.reserve(write) == [.outOfMemory])
        #expect(cache.growToHeadStart())
        #expect(L1CacheTests.granted(cache.reserve(write)).count == 1)
        #expect(cache.reserve(L1CacheTests.write(9..<10, byteCount: 65 * Self.mebibyte)) == [.outOfMemory])
        #expect(cache.usage().committedBytes < 64 * Self.mebibyte, "nothing is committed for what can never fit")
    }

    /// The system takes its time to give the growth thread memory; a store in the meantime is answered at once.
    @Test func aStoreNeverWaitsForTheGrowthThread() throws {
        let system = FaultySystem()
        let cache = try self.make(64 * Self.mebibyte, system)
        defer { cache.stop() }
        #expect(self.store(cache, 0..<2) == 2)
        let (isAllocating, mayEnd) = (StopSignal(), StopSignal())
        system.log.withLock {
            $0.whileAllocating = {
                isAllocating.raise()
                _ = mayEnd.wait(milliseconds: 60_000)
            }
        }
        let grower = NativeThread(name: "grower") { @Sendable in _ = cache.grow(atLeast: 0) }
        #expect(isAllocating.wait(milliseconds: 60_000))
        #expect(self.store(cache, 10..<20) == 2, "what is committed already")
        mayEnd.raise()
        grower.join()
        #expect(self.store(cache, 20..<28) == 8)
    }

    @Test func aClearOfManyFamiliesLetsOthersProceed() throws {
        let listener = RecordingListener()
        let cache = try L1CacheTests.make(units: 6000, listener: listener)
        defer {
            listener.cache.withLock { $0 = nil }
            cache.stop()
        }
        for first in stride(from: 0, to: 5000, by: 500) {
            cache.commit(L1CacheTests.granted(cache.reserve(L1CacheTests.write(first..<first + 500))))
        }
        var lease = cache.acquire(L1CacheTests.query(0..<10))
        #expect(cache.clear(force: false) == 4990)
        #expect(listener.record.withLock { $0.evicted.count } == 4990)
        cache.release(lease.takeAll())
        #expect(cache.clear(force: false) == 10)
        #expect(cache.usage().usedBytes == 0)
        #expect(cache.state.withLock { $0.table.brokenInvariant } == nil)
    }
}
