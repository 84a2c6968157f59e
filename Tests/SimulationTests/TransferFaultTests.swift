// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import L1Cache
import Testing

/// One conversation of stores, lookups, retrieves and prepared transfers, repeated with one fault more each time: every
/// request is answered once, and nothing stays leased, held or staged.
@Suite struct TransferFaultTests {
    @Test(arguments: [false, true]) func theDevicesQueueIsFull(isSticky: Bool) throws {
        var submissions = 0
        // Far enough that the last rounds meet no fault at all.
        for number in 0..<14 {
            var settings = SimulatedServer.Settings()
            settings.objects = 64
            settings.separatesObjectGroups = true
            let server = try SimulatedServer(settings)
            server.device.refuse(submission: number, sticky: isSticky)
            let talk = Conversation(server: server)
            try talk.run()
            submissions = max(submissions, talk.succeeded.count)
            talk.expectNothingLeft("submission \(number), sticky \(isSticky)")
            if !isSticky { #expect(talk.failed.count <= 2, "a refused store costs at most its own retrieve") }
        }
        #expect(submissions > 4)
    }

    /// The tier has room for `objects` objects and never evicts: reservation `objects` and all later ones fail.
    @Test(arguments: 1..<26) func theTierIsFull(objects: Int) throws {
        for policy in EvictionPolicyKind.allCases {
            var settings = SimulatedServer.Settings()
            settings.objects = objects
            settings.policy = policy
            settings.separatesObjectGroups = true
            let talk = Conversation(server: try SimulatedServer(settings))
            try talk.run()
            talk.expectNothingLeft("room for \(objects) objects, \(policy)")
        }
    }

    /// Only reservation `objects` meets a full tier: then everything is cleared and there is room again.
    @Test(arguments: 1..<12) func theTierIsFullOnce(objects: Int) throws {
        var settings = SimulatedServer.Settings()
        settings.objects = objects
        settings.policy = .noop
        settings.separatesObjectGroups = true
        let talk = Conversation(server: try SimulatedServer(settings))
        try talk.run(clearingBetween: true)
        talk.expectNothingLeft("room for \(objects) objects, cleared between")
    }
}

private final class Conversation {
    let server: SimulatedServer
    let succeeded = Answers<String>()
    let failed = Answers<String>()
    private var asked = 0
    private let scheduler = ConnectionID(1)
    private let worker = ConnectionID(2)
    private let prompts = (1...3).map { Prompt(text: UInt32($0), chunks: 3) }

    init(server: SimulatedServer) { self.server = server }

    func run(clearingBetween: Bool = false) throws {
        let engine = self.server.engine
        try engine.register(.simulated(instance: 1, windows: [-1, 16]), connection: self.worker)
        _ = try engine.register(
            EngineDrivenRegistration.simulated(instance: 2, model: "direct"), connection: self.worker)
        for (index, prompt) in self.prompts.enumerated() {
            self.store(prompt, 0..<2, "store \(index)")
            self.store(prompt, 2..<3, "rest \(index)")
            if clearingBetween { engine.clear(force: index == 1) }
            self.store(prompt, 0..<3, "again \(index)")
            self.read(prompt, request: "request \(index)")
            self.direct(prompt, request: "direct \(index)")
        }
    }

    private func store(_ prompt: Prompt, _ chunks: Range<Int>, _ name: String) {
        self.asked += 1
        let (succeeded, failed) = (self.succeeded, self.failed)
        let blocks = (0..<Int32(chunks.count * 2)).map { $0 + 1 }
        self.server.engine.store(
            TransferOrder(
                key: prompt.key(chunks, request: name), instance: InstanceID(1), blockIDs: [blocks, blocks], event: [],
                connection: self.worker)
        ) { result in (result.isSuccessful ? succeeded : failed).add(name) }
        self.server.device.runAll()
    }

    private func read(_ prompt: Prompt, request: String) {
        self.server.engine.lookup(prompt.key(request: request, rank: nil, readers: 1), connection: self.scheduler)
        let hit = self.server.engine.takeAnswer(requestID: request, connection: self.scheduler)
        guard hit > 0 else { return }
        self.asked += 1
        let (succeeded, failed) = (self.succeeded, self.failed)
        let blocks = (0..<Int32(hit * 2)).map { $0 + 1 }
        self.server.engine.retrieve(
            TransferOrder(
                key: prompt.key(0..<hit, request: request), instance: InstanceID(1), blockIDs: [blocks, blocks],
                event: [], connection: self.worker)
        ) { result in (result.isSuccessful ? succeeded : failed).add(request) }
        self.server.device.runAll()
        self.server.engine.endSession(requestID: request, connection: self.scheduler)
    }

    private func direct(_ prompt: Prompt, request: String) {
        let engine = self.server.engine
        let key = prompt.key(request: request, model: "direct")
        let order = EngineDrivenOrder(key: key, instance: InstanceID(2), connection: self.worker)
        if case .slots = engine.prepareStore(order) {
            self.asked += 1
            let (succeeded, failed) = (self.succeeded, self.failed)
            engine.commitStore(order, data: []) { ($0 ? succeeded : failed).add(request) }
        }
        engine.lookup(
            prompt.key(request: request, model: "direct", rank: nil, readers: 1), connection: self.scheduler)
        let hit = engine.takeAnswer(requestID: request, connection: self.scheduler)
        let readKey = prompt.key(0..<hit, request: request, model: "direct")
        let read = EngineDrivenOrder(key: readKey, instance: InstanceID(2), connection: self.worker)
        self.asked += 1
        let (succeeded, failed) = (self.succeeded, self.failed)
        engine.prepareRetrieve(read) { prepared in
            if case .slots = prepared { succeeded.add(request) } else { failed.add(request) }
        }
        engine.commitRetrieve(read)
        engine.endSession(requestID: request, connection: self.scheduler)
    }

    func expectNothingLeft(_ name: String) {
        #expect(self.succeeded.count + self.failed.count == self.asked, "\(name): each request has one answer")
        var usage = self.server.cache.usage()
        #expect(usage.leasedCount == 0 && usage.heldCount == 0, "\(name)")
        #expect(usage.stagedCount == 0 && usage.detachedCount == 0, "\(name)")
        #expect(usage.isHealthy && usage.staleHandleCount <= 6, "\(name)")
        _ = self.server.cache.clear(force: false)
        usage = self.server.cache.usage()
        #expect(usage.usedBytes == 0, "\(name)")
        self.server.stop()
    }
}
