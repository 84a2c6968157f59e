// lmcache · SPDX-License-Identifier: Apache-2.0

import CAllocationCounter
import KVModel
import NativeThreads
import Synchronization
import Testing

@testable import L1Cache

@Suite struct L1CacheTests {
    static let unit = 4096

    /// A cache of `units` objects, without threads and without a name.
    static func make(
        units: Int,
        listener: RecordingListener? = nil,
        system: FaultySystem = FaultySystem(),
        adjust: (inout L1Configuration) -> Void = { _ in }
    ) throws -> L1Cache {
        var configuration = L1Configuration(capacityBytes: units * Self.unit)
        configuration.isSharedByName = false
        configuration.growthStepBytes = 4 * Self.unit
        adjust(&configuration)
        let cache = try L1Cache(
            configuration: configuration,
            listener: listener,
            system: system,
            seeds: FamilyTableTests.seeds,
            startsThreads: false
        )
        listener?.cache.withLock { $0 = cache }
        return cache
    }

    static func write(_ range: Range<Int>, byteCount: Int = 4096) -> WriteQuery {
        WriteQuery(
            namespace: NamespaceID(0),
            worldSize: 1,
            rank: 0,
            group: 0,
            hashes: hashes(range),
            byteCount: byteCount
        )
    }

    static func query(_ range: Range<Int>) -> PrefixQuery {
        PrefixQuery(
            namespace: NamespaceID(0),
            worldSize: 1,
            windows: [.everything],
            hashes: hashes(range),
            readerCount: 1
        )
    }

    static func granted(_ grants: [WriteGrant]) -> [ObjectHandle] {
        grants.compactMap { if case .granted(let handle, _) = $0 { handle } else { nil } }
    }

    private func finish(_ cache: L1Cache, _ listener: RecordingListener? = nil) {
        listener?.cache.withLock { $0 = nil }
        cache.stop()
    }

    @Test func offersMemoryWithoutANameByItsAddressOnlyWhenAsked() throws {
        let plain = try Self.make(units: 4)
        defer { plain.stop() }
        #expect(plain.pool == nil)
        let offered = try Self.make(units: 4) { $0.isOfferedByAddress = true }
        defer { offered.stop() }
        let address = UInt(bitPattern: offered.arenaBase)
        #expect(
            offered.pool == PoolOffer(name: "process:\(address)", byteCount: 4 * Self.unit, isAddress: true))
    }

    @Test func aStoredPromptIsFoundLeasedAndRead() throws {
        let listener = RecordingListener()
        let cache = try Self.make(units: 10, listener: listener)
        defer { self.finish(cache, listener) }
        let handles = Self.granted(cache.reserve(Self.write(0..<3)))
        #expect(handles.count == 3)
        #expect(cache.acquire(Self.query(0..<3)).chunkCount == 0, "staged objects are invisible")
        cache.commit(handles)
        #expect(listener.record.withLock { $0.committed.map(\.hash) } == hashes(0..<3))
        var lease = cache.acquire(Self.query(0..<5))
        #expect(lease.chunkCount == 3)
        let shares = (0..<3).compactMap { lease.takeShare(group: 0, rank: 0, chunk: $0) }
        let places = cache.convertLeasesToHolds(shares.map { ($0.handle, isLast: $0.isLast) })
        #expect(places?.count == 3)
        #expect(cache.clear(force: true) == 3)
        #expect(cache.usage().usedBytes == 3 * Self.unit, "held bytes stay")
        cache.releaseHolds(handles)
        #expect(cache.usage().usedBytes == 0)
    }

    @Test func memoryGrowsBeforeAnythingIsEvicted() throws {
        let listener = RecordingListener()
        let cache = try Self.make(units: 10, listener: listener)
        defer { self.finish(cache, listener) }
        #expect(cache.usage().committedBytes == 0)
        cache.commit(Self.granted(cache.reserve(Self.write(0..<6))))
        #expect(cache.usage().committedBytes == 8 * Self.unit)
        cache.commit(Self.granted(cache.reserve(Self.write(10..<14))))
        #expect(cache.usage().committedBytes == 10 * Self.unit)
        #expect(listener.record.withLock { $0.evicted.isEmpty })
        cache.commit(Self.granted(cache.reserve(Self.write(20..<22))))
        #expect(listener.record.withLock { $0.evicted.map { Int($0.hash.words.1) } } == [5, 4])
        #expect(listener.record.withLock { $0.evicted.allSatisfy { $0.reason == .demand } })
        #expect(cache.acquire(Self.query(0..<6)).chunkCount == 4)
    }

    @Test func anObjectLargerThanTheCapacityEvictsNothing() throws {
        let listener = RecordingListener()
        let cache = try Self.make(units: 4, listener: listener)
        defer { self.finish(cache, listener) }
        cache.commit(Self.granted(cache.reserve(Self.write(0..<4))))
        #expect(cache.reserve(Self.write(9..<10, byteCount: 5 * Self.unit)) == [.outOfMemory])
        #expect(cache.usage().residentCount == 4)
        #expect(listener.record.withLock { $0.failures } == [1])
    }

    @Test func theObjectLimitEvictsInsteadOfGrowing() throws {
        let cache = try Self.make(units: 100) { $0.maximumObjects = 4 }
        defer { self.finish(cache) }
        cache.commit(Self.granted(cache.reserve(Self.write(0..<4))))
        #expect(Self.granted(cache.reserve(Self.write(10..<12))).count == 2)
        #expect(cache.usage().committedBytes == 4 * Self.unit && cache.usage().residentCount == 2)
    }

    @Test func aFullSystemLimitsTheCapacityAndIsToldOnce() throws {
        let listener = RecordingListener()
        let system = FaultySystem()
        system.log.withLock { $0.freeBytes = 4 * Self.unit }
        let cache = try Self.make(units: 16, listener: listener, system: system)
        defer { self.finish(cache, listener) }
        for start in [0, 10, 20] { cache.commit(Self.granted(cache.reserve(Self.write(start..<start + 3)))) }
        #expect(cache.usage().committedBytes == 4 * Self.unit)
        #expect(cache.usage().growthErrno == 28)
        #expect(cache.usage().ratio == 1)
        #expect(cache.acquire(Self.query(20..<23)).chunkCount == 3, "room was made by eviction")
        #expect(listener.record.withLock { $0.growthFailures } == [28])
        system.log.withLock { $0.freeBytes = .max }
        #expect(cache.grow(atLeast: 0))
        #expect(cache.usage().growthErrno == nil)
        #expect(cache.usage().committedBytes == 8 * Self.unit)
    }

    @Test func theWatermarkRoundRemovesAFractionOfTheFamilies() throws {
        let listener = RecordingListener()
        let cache = try Self.make(units: 20, listener: listener) { $0.evictionRatio = 0.25 }
        defer { self.finish(cache, listener) }
        cache.commit(Self.granted(cache.reserve(Self.write(0..<15))))
        #expect(cache.evictAboveWatermark().isTriggered == false)
        cache.commit(Self.granted(cache.reserve(Self.write(20..<21))))
        let round = cache.evictAboveWatermark()
        #expect(round.isTriggered && round.usage == 0.8 && round.evictedObjects == 4)
        #expect(round.evictedBytes == 4 * Self.unit)
        #expect(listener.record.withLock { $0.evicted.map { Int($0.hash.words.1) } } == [14, 13, 12, 11])
        #expect(listener.record.withLock { $0.ticks } == [false, true])
    }

    @Test func unusableSettingsAreNamed() throws {
        let changes: [(String, (inout L1Configuration) -> Void)] = [
            ("--l1-size-gb", { $0.capacityBytes = 0 }),
            ("--l1-size-gb", { $0.capacityBytes = -5 }),
            ("--l1-size-gb", { $0.capacityBytes = .max }),
            ("--l1-align-bytes", { $0.alignment = 5000 }),
            ("--l1-align-bytes", { $0.alignment = 0 }),
            ("--eviction-trigger-watermark", { $0.triggerWatermark = .nan }),
            ("--eviction-ratio", { $0.evictionRatio = 1.5 }),
        ]
        for (flag, change) in changes {
            let error = #expect(throws: L1Error.self) { try Self.make(units: 4, adjust: change) }
            #expect(error?.description.contains(flag) == true)
        }
    }

    @Test func theThreadsCommitAheadOfUseAndStop() throws {
        var configuration = L1Configuration(
            capacityBytes: 8 << 20,
            segmentName: "test-\(LinuxArenaSystem().processID)-t"
        )
        configuration.headStartBytes = 4 << 20
        configuration.growthStepBytes = 1 << 20
        let cache = try L1Cache(configuration: configuration, listener: nil)
        let waiting = StopSignal()
        var rounds = 0
        while cache.usage().committedBytes < 4 << 20, rounds < 2000 {
            _ = waiting.wait(milliseconds: 5)
            rounds += 1
        }
        #expect(cache.usage().committedBytes == 4 << 20)
        #expect(cache.pool?.byteCount == 8 << 20)
        #expect(cache.pool?.name.hasPrefix("lmcache_l1_pool_test-") == true)
        cache.stop()
        cache.stop()
        #expect(cache.reserve(Self.write(0..<1, byteCount: 5 << 20)) == [.outOfMemory], "a stopped cache does not grow")
    }

    @Test func namespacesAreNumbered() throws {
        let cache = try Self.make(units: 1) { $0.maximumNamespaces = 1 }
        defer { self.finish(cache) }
        let identifier = try #require(cache.intern(Namespace(modelName: "m", cacheSalt: "s")))
        #expect(cache.namespace(identifier) == Namespace(modelName: "m", cacheSalt: "s"))
        #expect(cache.intern(Namespace(modelName: "m", cacheSalt: "")) == nil)
    }

    @Test(.enabled(if: lmc_allocations_are_counted() == 1))
    func aLookupAllocatesAFixedNumberOfTimes() throws {
        let cache = try Self.make(units: 2000)
        defer { self.finish(cache) }
        cache.commit(Self.granted(cache.reserve(Self.write(0..<1024))))
        var counts: [UInt64] = []
        for length in [1, 16, 128, 1024] {
            let query = Self.query(0..<length)
            let before = lmc_allocation_count()
            var lease = cache.acquire(query)
            counts.append(lmc_allocation_count() - before)
            #expect(lease.chunkCount == length)
            cache.release(lease.takeAll())
        }
        #expect(Set(counts).count == 1 && counts[0] <= 10, "\(counts)")
    }

    /// Several threads store, look up, copy under holds, abort, clear and evict; bytes read under a hold are always
    /// those of the object's own name.
    @Test func bytesUnderAHoldAreAlwaysTheRightOnes() throws {
        let cache = try Self.make(units: 24)
        defer { self.finish(cache) }
        let wrong = Atomic(0)
        let read = Atomic(0)
        let workers = (0..<4).map { number in
            NativeThread(name: "worker") { @Sendable in
                var worker = Worker(cache: cache, random: SeededGenerator(UInt64(number)))
                for _ in 0..<1500 { worker.step() }
                wrong.add(worker.wrongBytes, ordering: .relaxed)
                read.add(worker.readObjects, ordering: .relaxed)
            }
        }
        for worker in workers { worker.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(read.load(ordering: .relaxed) > 100)
        _ = cache.clear(force: false)
        let usage = cache.usage()
        #expect(usage.usedBytes == 0 && usage.objectCount == 0 && usage.detachedCount == 0 && usage.isHealthy)
        #expect(cache.state.withLock { $0.table.brokenInvariant } == nil)
    }

    struct Worker {
        let cache: L1Cache
        var random: SeededGenerator
        var wrongBytes = 0
        var readObjects = 0

        mutating func step() {
            let first = self.random.below(10) * 4
            switch self.random.below(10) {
            case 0..<5: self.store(first..<first + 4)
            case 5..<9: self.retrieve(first..<first + 4)
            default:
                if self.random.below(4) == 0 { _ = self.cache.clear(force: self.random.below(2) == 0) }
                self.cache.evictAboveWatermark()
            }
        }

        mutating func store(_ range: Range<Int>) {
            let grants = self.cache.reserve(L1CacheTests.write(range))
            for (chunk, grant) in zip(range, grants) {
                guard case .granted(let handle, let place) = grant else { continue }
                for word in 0..<place.length / 8 {
                    self.cache.arenaBase.storeBytes(of: chunk, toByteOffset: place.offset + word * 8, as: Int.self)
                }
                switch self.random.below(8) {
                case 0: self.cache.abort([handle])
                case 1:
                    self.cache.quarantine([handle])
                    self.cache.releaseQuarantine([handle])
                default: self.cache.commit([handle])
                }
            }
        }

        mutating func retrieve(_ range: Range<Int>) {
            var lease = self.cache.acquire(L1CacheTests.query(range))
            let shares = (0..<lease.chunkCount).compactMap { lease.takeShare(group: 0, rank: 0, chunk: $0) }
            let places = self.cache.convertLeasesToHolds(shares.map { ($0.handle, isLast: $0.isLast) })
            self.cache.release(lease.takeAll())
            guard let places else { return }
            for (chunk, place) in zip(range, places) {
                self.readObjects += 1
                for word in 0..<place.length / 8 {
                    let value = self.cache.arenaBase.load(fromByteOffset: place.offset + word * 8, as: Int.self)
                    self.wrongBytes += value == chunk ? 0 : 1
                }
            }
            self.cache.releaseHolds(shares.map(\.handle))
        }
    }
}
