// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Testing

/// Tiers whose media outlive servers, with faults that the test chooses.
struct SimulatedTiers {
    let settings: SimulatedServer.Settings
    private let media: [MemoryMedium]
    private(set) var fakes: [FakeTier] = []
    private(set) var faulty: [FaultInjectingL2Adapter] = []
    private(set) var ids: [TierID] = []

    init(count: Int, settings: inout SimulatedServer.Settings, random: inout SeededGenerator) {
        settings.objects = 44
        settings.secondTier.breaker.failureLimit = 4
        settings.secondTier.prefetches.inFlight = Int.random(in: 1...8, using: &random)
        settings.secondTier.prefetchPolicy = random.chance(50) ? .retain : .drop
        settings.secondTier.storePolicy = random.chance(30) ? .skipFirstTier : .keep
        settings.secondTier.stores.batchObjects = Int.random(in: 1...8, using: &random)
        settings.secondTier.stores.queuedObjects = random.chance(30) ? 6 : 1000
        self.settings = settings
        let capacity = random.chance(40) ? 60 * 256 : nil
        self.media = (0..<count).map { _ in MemoryMedium(capacityBytes: capacity) }
    }

    /// Gives the media to a server, as after a start.
    mutating func attach(to server: SimulatedServer) {
        self.fakes = self.media.map { FakeTier(medium: $0, clock: VirtualTierClock(server.clock), taskLimit: 12) }
        self.faulty = self.fakes.map { FaultInjectingL2Adapter($0, plan: FaultPlan()) }
        self.ids = self.faulty.map { server.engine.secondTier.add($0, description: Self.description) }
    }

    /// Takes a tier away and adds it again.
    mutating func replace(_ index: Int, at server: SimulatedServer) {
        _ = server.engine.secondTier.remove(self.ids[index], milliseconds: 0)
        self.fakes[index] = FakeTier(
            medium: self.media[index], clock: VirtualTierClock(server.clock), taskLimit: 12)
        self.faulty[index] = FaultInjectingL2Adapter(self.fakes[index], plan: FaultPlan())
        self.ids[index] = server.engine.secondTier.add(self.faulty[index], description: Self.description)
    }

    private static let description = TierDescription(
        kind: "fake",
        eviction: L2AdapterConfiguration.Eviction(
            policy: .leastRecentlyUsed, triggerWatermark: 0.8, evictionRatio: 0.3))
}

extension SimulationRun {
    mutating func stepTiers() throws {
        guard let tiers = self.tiers else { return }
        let index = Int.random(in: tiers.fakes.indices, using: &self.random)
        switch Int.random(in: 0..<1000, using: &self.random) {
        case 0..<350: self.server.pumpTiers()
        case 350..<700: tiers.fakes[index].runItem(position: Int.random(in: 0...2, using: &self.random))
        case 700..<800: tiers.fakes[index].runAll()
        case 800..<860: self.passMilliseconds(Int.random(in: 1...900, using: &self.random))
        case 860..<880: tiers.fakes[index].forgetLate()
        case 880..<930: self.changeFaults(tiers.faulty[index])
        case 930..<980: self.awaitAnswer()
        case 980..<986: self.tiers?.replace(index, at: self.server)
        case 986..<992: try self.restart()
        default: self.passMilliseconds(6000)
        }
    }

    private mutating func passMilliseconds(_ milliseconds: Int) {
        let reaped = self.server.advance(.milliseconds(milliseconds))
        for instance in reaped { self.workerEnded(instance) }
        self.server.pumpTiers()
        self.verifyDeadlines()
    }

    private mutating func changeFaults(_ adapter: FaultInjectingL2Adapter) {
        var plan = FaultPlan()
        plan.kinds = Set(FaultPlan.Kind.allCases)
        plan.rate = [0, 0, 0.1, 0.5, 1][Int.random(in: 0..<5, using: &self.random)]
        plan.seed = UInt64.random(in: 0...99, using: &self.random)
        if self.random.chance(40) { plan.failingCall = Int.random(in: 1...6, using: &self.random) }
        adapter.use(plan)
    }

    /// Somebody else on the request's connection waits for its answer, which only one of both gets.
    private mutating func awaitAnswer() {
        guard let index = self.recentRequest() else { return }
        let request = self.requests[index]
        let (checks, number) = (self.checks, self.checks.asked())
        self.server.engine.awaitAnswer(
            requestID: request.id, connection: self.engines[request.engine].scheduler,
            seconds: Double.random(in: 0...8, using: &self.random)
        ) { _ in checks.answered(number) }
    }

    /// The server dies and comes back with an empty first tier; what its tiers were working on is lost.
    private mutating func restart() throws {
        guard var tiers = self.tiers else { return }
        self.server.stop()
        self.checks.verify(seed: self.seed)
        self.checks.verifyAllAnswered(seed: self.seed)
        self.server = try SimulatedServer(tiers.settings, clock: self.server.clock)
        tiers.attach(to: self.server)
        self.tiers = tiers
        self.requests = []
        self.writes = []
        self.reads = []
        self.lateWriters = []
        for engine in self.engines {
            for worker in engine.workers { try engine.register(worker, at: self.server) }
        }
    }

    /// Nil while the tiers are being asked.
    mutating func answer(of request: Request, _ connection: ConnectionID) -> Int? {
        guard self.tiers != nil else {
            return self.server.engine.takeAnswer(requestID: request.id, connection: connection)
        }
        return self.server.engine.queryAnswer(requestID: request.id, connection: connection)
    }

    /// After a turn of the second tier no lookup is past its deadline.
    private func verifyDeadlines() {
        guard let first = self.server.engine.secondTier.report().firstDeadline else { return }
        let now = VirtualTierClock(self.server.clock).now()
        #expect(now < first.advanced(milliseconds: 100), "seed \(self.seed): a lookup is not answered in time")
    }

    /// Lets everything end that tiers and lookups are at.
    mutating func settleTiers() {
        guard let tiers = self.tiers else { return }
        for adapter in tiers.faulty { adapter.use(FaultPlan()) }
        for _ in 0..<8 {
            self.server.settleTiers(tiers.fakes)
            self.passMilliseconds(20_000)
        }
        let report = self.server.engine.secondTier.report()
        #expect(report.isIdle, "seed \(self.seed)")
    }
}
