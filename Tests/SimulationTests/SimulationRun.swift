// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import EngineTestSupport
import KVModel
import L1Cache
import Testing

/// One run: fake engines that do, in an order that the seed decides, whatever engines do.
struct SimulationRun {
    var server: SimulatedServer
    /// Nil: no second tier.
    var tiers: SimulatedTiers?
    let seed: UInt64
    let checks = Checks()
    var random: SeededGenerator
    var engines: [SimulatedEngine]
    var requests: [Request] = []
    var writes: [PreparedWrite] = []
    var reads: [PreparedRead] = []
    /// Slots whose writer lost its connection or worker ended, and may still write.
    var lateWriters: [PreparedWrite] = []
    private var requestCount = 0

    struct Request {
        let id: String
        let engine: Int
        let prompt: Prompt
        var hit: Int?
    }

    init(seed: UInt64, tierCount: Int = 0) throws {
        self.seed = seed
        self.random = SeededGenerator(seed: seed)
        var settings = SimulatedServer.Settings()
        settings.objects = 60
        settings.separatesObjectGroups = true
        settings.deviceQueueLimit = Int.random(in: 2...16, using: &self.random)
        settings.writeTimeToLive = .seconds(90)
        if tierCount > 0 {
            self.tiers = SimulatedTiers(count: tierCount, settings: &settings, random: &self.random)
        }
        self.server = try SimulatedServer(settings)
        self.tiers?.attach(to: self.server)
        let kinds: [SimulatedEngine.Kind] =
            [.plain, .plain, .engineDriven, .engineDriven]
            + [SimulatedEngine.Kind.twoRanks, .twoReaders, .windowed].shuffled(using: &self.random).prefix(2)
        self.engines = kinds.enumerated().map { SimulatedEngine(number: $0.offset + 1, kind: $0.element) }
        for engine in self.engines {
            for worker in engine.workers { try engine.register(worker, at: self.server) }
        }
    }

    mutating func step() throws {
        if self.tiers != nil, self.random.chance(55) { try self.stepTiers() }
        switch Int.random(in: 0..<1000, using: &self.random) {
        case 0..<180: self.lookup()
        case 180..<340: self.answer()
        case 340..<500: self.retrieve()
        case 500..<660: self.store()
        case 660..<800: self.server.device.runNext(failing: self.random.chance(15))
        case 800..<860: self.advanceWrite()
        case 860..<900: self.advanceRead()
        case 900..<915: self.writeLate()
        case 915..<950: self.endRequest()
        case 950..<965: self.loseConnection()
        case 965..<970: self.server.engine.clear(force: self.random.chance(50))
        case 970..<975: self.passTime()
        case 975..<985: try self.replaceRegistration()
        case 985..<987: try self.changeElementType()
        default: _ = self.server.cache.evictAboveWatermark()
        }
        #expect(self.server.cache.usage().isHealthy, "seed \(self.seed)")
        self.checks.verify(seed: self.seed)
    }

    /// Ends everything; nothing may stay leased, held, staged, detached or unanswered.
    mutating func finish() {
        self.server.device.runAll()
        self.settleTiers()
        self.checks.verify(seed: self.seed)
        self.checks.verifyAllAnswered(seed: self.seed)
        for engine in self.engines {
            self.server.engine.connectionClosed(engine.scheduler)
            for worker in engine.workers {
                self.server.engine.connectionClosed(worker.connection)
                engine.unregister(worker, at: self.server)
            }
        }
        self.settleTiers()
        let usage = self.server.cache.usage()
        #expect(usage.leasedCount == 0, "seed \(self.seed)")
        #expect(usage.heldCount == 0, "seed \(self.seed)")
        #expect(usage.stagedCount == 0, "seed \(self.seed)")
        #expect(usage.quarantinedCount == 0, "seed \(self.seed)")
        #expect(usage.detachedCount == 0, "seed \(self.seed)")
        #expect(self.server.engine.sessionCount() == 0, "seed \(self.seed)")
        _ = self.server.cache.clear(force: false)
        #expect(self.server.cache.usage().usedBytes == 0, "seed \(self.seed)")
        self.server.stop()
    }

    // MARK: Scheduler

    private mutating func lookup() {
        let engine = Int.random(in: self.engines.indices, using: &self.random)
        let prompt = self.prompt()
        // A known request id may come back with another text, from this or another engine.
        let isReused = self.random.chance(15) && !self.requests.isEmpty
        let id = isReused ? self.requests.randomElement(using: &self.random)?.id ?? "" : "request-\(self.requestCount)"
        self.requestCount += 1
        let fake = self.engines[engine]
        self.server.engine.lookup(fake.schedulerKey(prompt, request: id), connection: fake.scheduler)
        self.requests.removeAll { $0.id == id && $0.engine == engine }
        self.requests.append(Request(id: id, engine: engine, prompt: prompt, hit: nil))
    }

    private mutating func answer() {
        guard let index = self.recentRequest() else { return }
        let request = self.requests[index]
        let fake = self.engines[request.engine]
        guard let chunks = self.answer(of: request, fake.scheduler) else { return }
        // More than its own text: the answer of another engine that uses the same request id. A retrieve must refuse it.
        if request.hit == nil { self.requests[index].hit = min(chunks, request.prompt.chunkCount) }
        guard chunks > 0, chunks <= request.prompt.chunkCount, self.random.chance(30) else { return }
        // The engine has the first chunks itself.
        let own = Int.random(in: 0...chunks, using: &self.random)
        self.server.engine.freeLeases(
            fake.schedulerKey(request.prompt, request: request.id, chunks: 0..<own), connection: fake.scheduler)
    }

    private mutating func endRequest() {
        guard let index = self.recentRequest() else { return }
        let request = self.requests.remove(at: index)
        self.server.engine.endSession(requestID: request.id, connection: self.engines[request.engine].scheduler)
    }

    /// One of the latest requests: older ones have mostly lost what they found.
    mutating func recentRequest() -> Int? { self.requests.indices.suffix(12).randomElement(using: &self.random) }

    // MARK: Failures

    private mutating func loseConnection() {
        let index = Int.random(in: self.engines.indices, using: &self.random)
        if self.random.chance(30) {
            self.server.engine.connectionClosed(self.engines[index].scheduler)
            self.engines[index].scheduler = ConnectionID(self.engines[index].scheduler.rawValue + 10)
            return
        }
        let worker = Int.random(in: self.engines[index].workers.indices, using: &self.random)
        let connection = self.engines[index].workers[worker].connection
        self.server.engine.connectionClosed(connection)
        self.engines[index].workers[worker].connection = ConnectionID(connection.rawValue + 10)
        self.connectionClosed(connection)
    }

    private mutating func passTime() {
        let reaped = self.server.advance(.seconds(Int.random(in: 1...40, using: &self.random)))
        for instance in reaped { self.workerEnded(instance) }
        guard self.random.chance(70) else { return }
        for engine in self.engines {
            for worker in engine.workers {
                _ = self.server.engine.ping(worker.instance, connection: worker.connection)
            }
        }
    }

    private mutating func replaceRegistration() throws {
        let engine = self.engines[Int.random(in: self.engines.indices, using: &self.random)]
        for worker in engine.workers {
            engine.unregister(worker, at: self.server)
            self.workerEnded(worker.instance)
            // The process takes its time between unregistering and closing its connection.
            if self.random.chance(30) { self.writeLate() }
            // Copies in flight go on while the worker is gone.
            if self.random.chance(50) { self.server.device.runNext(failing: false) }
            try engine.register(worker, at: self.server)
        }
    }

    /// All engines of a model come back with another element type, one after the other: what was stored before must not
    /// be found by those that have it.
    private mutating func changeElementType() throws {
        let chosen = self.engines[Int.random(in: self.engines.indices, using: &self.random)]
        let newType: ElementType = chosen.elementType == .bfloat16 ? .float16 : .bfloat16
        for index in self.engines.indices where self.engines[index].model == chosen.model {
            // Now and then one stays behind, so that both layouts are in use.
            if self.random.chance(10) { continue }
            self.engines[index].elementType = newType
            for worker in self.engines[index].workers {
                if self.random.chance(50) {
                    self.engines[index].unregister(worker, at: self.server)
                    self.workerEnded(worker.instance)
                }
                try self.engines[index].register(worker, at: self.server)
                self.workerEnded(worker.instance, except: worker.connection)
            }
            for request in self.requests.indices where self.requests[request].engine == index {
                self.requests[request].hit = nil
            }
        }
    }

    /// Prompts share prefixes: each chunk is one of two texts.
    private mutating func prompt() -> Prompt {
        var tokens: [UInt32] = []
        for chunk in 0..<Int.random(in: 1...5, using: &self.random) {
            let text: UInt32 = self.random.chance(25) ? 1 : 0
            tokens += (0..<UInt32(SimulatedServer.chunkSize)).map { UInt32(chunk) * 1000 + text * 100 + $0 }
        }
        return Prompt(tokens: tokens)
    }
}
