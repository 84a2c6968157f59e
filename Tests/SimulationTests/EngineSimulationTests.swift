// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import KVModel
import L1Cache
import Synchronization
import Testing

/// Runs the whole engine with several fake engines, seeded choices, failing copies, lost connections, reaped workers and
/// memory pressure, and checks every block that a retrieve filled.
@Suite struct EngineSimulationTests {
    @Test(arguments: 0..<24 as Range<UInt64>) func neverServesAWrongByteAndNeverLeaks(seed: UInt64) throws {
        var run = try SimulationRun(seed: seed)
        for _ in 0..<1500 { try run.step() }
        try run.finish()
    }

    /// Guards the test above against never getting as far as a hit.
    @Test func hitsAreFrequent() throws {
        var blocks = 0
        for seed in 100..<108 as Range<UInt64> {
            var run = try SimulationRun(seed: seed)
            for _ in 0..<1500 { try run.step() }
            try run.finish()
            blocks += run.retrievedBlocks
        }
        #expect(blocks > 100)
    }
}

private struct SimulationRun {
    private let server: SimulatedServer
    private let seed: UInt64
    private var random: SeededGenerator
    private var engines: [SimulatedEngine]
    private var requests: [Request] = []
    private var requestCount = 0
    private let checks = Checks()
    var retrievedBlocks: Int { self.checks.verifiedBlocks }

    private struct Request {
        let id: String
        let engine: Int
        let prompt: Prompt
        var hit: Int?
    }

    init(seed: UInt64) throws {
        self.seed = seed
        self.random = SeededGenerator(seed: seed)
        self.server = try SimulatedServer(objects: 24)
        self.engines = [SimulatedEngine(number: 1), SimulatedEngine(number: 2)]
        for engine in self.engines { try self.server.engine.register(engine.registration(), connection: engine.worker) }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0..<18: self.lookup()
        case 18..<34: self.answer()
        case 34..<50: self.retrieve()
        case 50..<68: self.store()
        case 68..<88: self.server.device.runNext(failing: self.random.chance(15))
        case 88..<94: self.endRequest()
        case 94..<96: self.loseConnection()
        case 96: self.server.engine.clear(force: self.random.chance(50))
        case 97: self.server.advance(.seconds(Int.random(in: 1...40, using: &self.random)))
        case 98: try self.replaceRegistration()
        default: _ = self.server.cache.evictAboveWatermark()
        }
        #expect(self.server.cache.usage().isHealthy, "seed \(self.seed)")
        self.checks.verify(seed: self.seed)
    }

    /// Ends everything; nothing may stay leased, held, staged or detached.
    mutating func finish() throws {
        while self.server.device.pendingCount > 0 { self.server.device.runNext(failing: false) }
        self.checks.verify(seed: self.seed)
        for engine in self.engines {
            self.server.engine.connectionClosed(engine.scheduler)
            self.server.engine.connectionClosed(engine.worker)
            self.server.engine.unregister(engine.instance)
        }
        let usage = self.server.cache.usage()
        #expect(usage.leasedCount == 0, "seed \(self.seed)")
        #expect(usage.heldCount == 0, "seed \(self.seed)")
        #expect(usage.stagedCount == 0, "seed \(self.seed)")
        #expect(usage.detachedCount == 0, "seed \(self.seed)")
        _ = self.server.cache.clear(force: false)
        #expect(self.server.cache.usage().usedBytes == 0, "seed \(self.seed)")
        self.server.stop()
    }

    // MARK: Steps

    private mutating func lookup() {
        let engine = Int.random(in: self.engines.indices, using: &self.random)
        let prompt = self.prompt()
        // A known request id may come back with another text.
        let isReused = self.random.chance(15) && !self.requests.isEmpty
        let id = isReused ? self.requests.randomElement(using: &self.random)?.id ?? "" : "request-\(self.requestCount)"
        self.requestCount += 1
        let fake = self.engines[engine]
        self.server.engine.lookup(
            fake.key(prompt, request: id, chunks: 0..<prompt.chunkCount, isScheduler: true), connection: fake.scheduler)
        self.requests.removeAll { $0.id == id && $0.engine == engine }
        self.requests.append(Request(id: id, engine: engine, prompt: prompt, hit: nil))
    }

    private mutating func answer() {
        guard let index = self.requests.indices.randomElement(using: &self.random) else { return }
        let request = self.requests[index]
        let chunks = self.server.engine.takeAnswer(
            requestID: request.id, connection: self.engines[request.engine].scheduler)
        // More than its own text: the answer of another engine that uses the same request id. A retrieve must refuse it.
        if request.hit == nil { self.requests[index].hit = min(chunks, request.prompt.chunkCount) }
        guard chunks > 0, chunks <= request.prompt.chunkCount, self.random.chance(30) else { return }
        // The engine has the first chunks itself.
        let own = Int.random(in: 0...chunks, using: &self.random)
        let fake = self.engines[request.engine]
        self.server.engine.freeLeases(
            fake.key(request.prompt, request: request.id, chunks: 0..<own, isScheduler: true),
            connection: fake.scheduler)
    }

    private mutating func retrieve() {
        guard let index = self.requests.indices.randomElement(using: &self.random) else { return }
        let request = self.requests[index]
        guard let hit = request.hit, hit > 0 else { return }
        let first = Int.random(in: 0..<hit, using: &self.random)
        let range = first..<hit
        let blocks = self.engines[request.engine].takeBlocks(chunks: range.count)
        let fake = self.engines[request.engine]
        guard let memory = self.server.memory(of: fake.instance) else { return }
        let skipped = Int.random(in: 0...SimulatedServer.chunkSize, using: &self.random)
        for block in blocks { memory.setContent(of: Int32(block), 0) }
        let (checks, prompt) = (self.checks, request.prompt)
        let order = TransferOrder(
            key: fake.key(prompt, request: request.id, chunks: range, isScheduler: false), instance: fake.instance,
            blockIDs: [blocks.map { Int32($0) }], event: [], skippedTokens: skipped, connection: fake.worker)
        self.server.engine.retrieve(order) { result in
            guard result.isSuccessful else { return }
            for (position, block) in blocks.enumerated() {
                let isSkipped = position < skipped / SimulatedServer.blockSize
                let expected = prompt.content(block: first * SimulatedEngine.blocksPerChunk + position)
                checks.note(memory.content(of: Int32(block)), expected: isSkipped ? 0 : expected)
            }
        }
        self.requests[index].hit = nil
    }

    private mutating func store() {
        guard let request = self.requests.randomElement(using: &self.random) else { return }
        let first = Int.random(in: 0..<request.prompt.chunkCount, using: &self.random)
        let range = first..<Int.random(in: first...request.prompt.chunkCount, using: &self.random)
        let blocks = self.engines[request.engine].takeBlocks(chunks: range.count)
        let fake = self.engines[request.engine]
        guard let memory = self.server.memory(of: fake.instance) else { return }
        for (position, block) in blocks.enumerated() {
            let content = request.prompt.content(block: first * SimulatedEngine.blocksPerChunk + position)
            memory.setContent(of: Int32(block), content)
        }
        let order = TransferOrder(
            key: fake.key(request.prompt, request: request.id, chunks: range, isScheduler: false),
            instance: fake.instance, blockIDs: [blocks.map { Int32($0) }], event: [], connection: fake.worker)
        self.server.engine.store(order) { _ in }
        // The engine reuses its blocks only after the reply; the next store or retrieve takes others.
        while self.server.device.pendingCount > 12 { self.server.device.runNext(failing: false) }
    }

    private mutating func endRequest() {
        guard let index = self.requests.indices.randomElement(using: &self.random) else { return }
        let request = self.requests.remove(at: index)
        self.server.engine.endSession(requestID: request.id, connection: self.engines[request.engine].scheduler)
    }

    private mutating func loseConnection() {
        let index = Int.random(in: self.engines.indices, using: &self.random)
        if self.random.chance(50) {
            self.server.engine.connectionClosed(self.engines[index].scheduler)
            self.engines[index].scheduler = ConnectionID(self.engines[index].scheduler.rawValue + 2)
        } else {
            self.server.engine.connectionClosed(self.engines[index].worker)
            self.engines[index].worker = ConnectionID(self.engines[index].worker.rawValue + 2)
        }
    }

    private mutating func replaceRegistration() throws {
        let engine = self.engines[Int.random(in: self.engines.indices, using: &self.random)]
        self.server.engine.unregister(engine.instance)
        try self.server.engine.register(engine.registration(), connection: engine.worker)
    }

    /// Prompts share prefixes: each chunk is one of two texts.
    private mutating func prompt() -> Prompt {
        var tokens: [UInt32] = []
        for chunk in 0..<Int.random(in: 1...5, using: &self.random) {
            let text = UInt32.random(in: 0..<2, using: &self.random)
            tokens += (0..<UInt32(SimulatedServer.chunkSize)).map { UInt32(chunk) * 1000 + text * 100 + $0 }
        }
        return Prompt(tokens: tokens)
    }
}

/// Collects what retrieves found, from whichever thread answered.
private final class Checks: Sendable {
    private let state = Mutex<(wrong: [(UInt64, UInt64)], verified: Int)>(([], 0))

    var verifiedBlocks: Int { self.state.withLock { $0.verified } }

    func note(_ found: UInt64, expected: UInt64) {
        self.state.withLock { state in
            state.verified += 1
            if found != expected { state.wrong.append((found, expected)) }
        }
    }

    func verify(seed: UInt64) {
        let wrong = self.state.withLock { state in
            defer { state.wrong = [] }
            return state.wrong
        }
        for (found, expected) in wrong {
            Issue.record("seed \(seed): a block holds \(found) where \(expected) belongs")
        }
    }
}
