// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import L1Cache

@Suite struct ArenaTests {
    static let capacity = 1 << 20

    private func configuration(_ name: String?, shared: Bool = true) -> L1Configuration {
        var configuration = L1Configuration(capacityBytes: Self.capacity, segmentName: name)
        configuration.isSharedByName = shared
        configuration.growthStepBytes = 256 << 10
        return configuration
    }

    private func arena(_ configuration: L1Configuration, _ system: FaultySystem) throws(L1Error) -> Arena {
        try Arena(configuration, capacityBytes: Self.capacity, system: system)
    }

    /// A name that no other run uses at the same time.
    private func name(_ test: String) -> String { "test-\(LinuxArenaSystem().processID)-\(test)" }

    @Test func aRefusedCallLeavesNothingBehind() throws {
        for isShared in [true, false] {
            var failingCall = 1
            while true {
                let system = FaultySystem(failingCall: failingCall)
                let configuration = self.configuration(self.name("refused"), shared: isShared)
                guard let arena = try? self.arena(configuration, system) else {
                    #expect(system.isClean, "call \(failingCall), shared: \(isShared)")
                    failingCall += 1
                    continue
                }
                arena.close()
                // Past the last call of a successful start, only the closing unlink can have failed.
                if system.callCount < failingCall { break }
                failingCall += 1
            }
            #expect(failingCall > 3)
        }
        try? LinuxArenaSystem().unlinkSegment(ArenaSegment.namePrefix + self.name("refused"))
    }

    @Test func aRefusedCallWhileReplacingAStaleSegmentLeavesNothingOpen() throws {
        let name = ArenaSegment.namePrefix + self.name("stale-refused")
        for failingCall in 1...14 {
            let real = LinuxArenaSystem()
            try? real.unlinkSegment(name)
            real.close(try real.createSegment(name))
            let system = FaultySystem(failingCall: failingCall)
            let arena = try? self.arena(self.configuration(name), system)
            arena?.close()
            #expect(system.log.withLock { $0.descriptors.isEmpty && $0.mappings == 0 }, "call \(failingCall)")
        }
        try? LinuxArenaSystem().unlinkSegment(name)
    }

    @Test func aSegmentThatADeadServerLeftIsReplaced() throws {
        let name = ArenaSegment.namePrefix + self.name("stale")
        let real = LinuxArenaSystem()
        real.close(try real.createSegment(name))
        let system = FaultySystem()
        let arena = try self.arena(self.configuration(name), system)
        #expect(arena.name == name)
        arena.close()
        #expect(system.isClean)
        #expect(throws: SystemCallError.self) { try real.openSegment(name) }
    }

    @Test func aLiveServersSegmentIsAnErrorAndStays() throws {
        let configuration = self.configuration(self.name("live"))
        let owner = try self.arena(configuration, FaultySystem())
        let system = FaultySystem()
        #expect(throws: L1Error.segmentInUse(name: try #require(owner.name))) { try self.arena(configuration, system) }
        #expect(system.isClean)
        let real = LinuxArenaSystem()
        real.close(try real.openSegment(try #require(owner.name)))
        owner.close()
    }

    @Test func namesGetThePrefixAndHostileOnesAreRefused() throws {
        #expect(try ArenaSegment.fullName("a", processID: 7) == "lmcache_l1_pool_a")
        #expect(try ArenaSegment.fullName("lmcache_l1_pool_a", processID: 7) == "lmcache_l1_pool_a")
        #expect(try ArenaSegment.fullName(nil, processID: 7) == "lmcache_l1_pool_7")
        for name in ["", "a/b", "../x", "a\0b", "a b", "é", String(repeating: "x", count: 240)] {
            #expect(throws: L1Error.self) { try ArenaSegment.fullName(name, processID: 7) }
        }
    }

    @Test func aSmallFileSystemMeansMemoryWithoutAName() throws {
        for capacity in [nil, Self.capacity - 1] {
            let system = FaultySystem()
            system.log.withLock { $0.segmentCapacity = capacity }
            let arena = try self.arena(self.configuration(self.name("small")), system)
            #expect(arena.name == nil && arena.fallbackReason?.contains("/dev/shm") == true)
            arena.close()
            #expect(system.isClean)
        }
    }

    @Test func growthCoversTheCapacityOnceInOrder() throws {
        let system = FaultySystem()
        let arena = try self.arena(self.configuration(nil, shared: false), system)
        #expect(arena.fallbackReason == nil)
        var added: [Int] = []
        for request in [0, 400 << 10, 0, 0, 0] { try arena.grow(atLeast: request) { added.append($0) } }
        #expect(added == [256 << 10, 400 << 10, 256 << 10, 112 << 10, 0])
        let ranges = system.log.withLock { $0.ranges }
        #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == Self.capacity)
        #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        arena.memory.base.storeBytes(of: 42, toByteOffset: Self.capacity - 8, as: UInt64.self)
        #expect(arena.memory.base.load(fromByteOffset: Self.capacity - 8, as: UInt64.self) == 42)
        arena.close()
        arena.close()
        #expect(system.isClean)
    }

    @Test func aFullFileSystemGivesWhatOneObjectNeedsOrNothing() throws {
        let system = FaultySystem()
        system.log.withLock { $0.freeBytes = 100 << 10 }
        let arena = try self.arena(self.configuration(nil, shared: false), system)
        var added: [Int] = []
        try arena.grow(atLeast: 64 << 10) { added.append($0) }
        #expect(added == [64 << 10])
        #expect(throws: SystemCallError.self) { try arena.grow(atLeast: 64 << 10) { added.append($0) } }
        #expect(added.count == 1)
        system.log.withLock { $0.freeBytes = .max }
        try arena.grow(atLeast: 0) { added.append($0) }
        #expect(added == [64 << 10, 256 << 10])
        arena.close()
        #expect(throws: Never.self) { try arena.grow(atLeast: 0) { added.append($0) } }
        #expect(added.last == 0, "a closed arena does not grow")
    }
}
