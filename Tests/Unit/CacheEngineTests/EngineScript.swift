// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import EngineTestSupport
import KVModel
import L1Cache

/// Drives a simulated server one operation at a time; copies run at once.
struct EngineScript {
    let server: SimulatedServer
    static let scheduler = ConnectionID(1)
    static let worker = ConnectionID(2)

    init(
        clock: VirtualClock = VirtualClock(.seconds(1000)),
        _ change: (inout SimulatedServer.Settings) -> Void = { _ in }
    ) throws {
        var settings = SimulatedServer.Settings()
        change(&settings)
        self.server = try SimulatedServer(settings, clock: clock)
    }

    var engine: CacheEngine { self.server.engine }
    var usage: L1Usage { self.server.cache.usage() }

    func register(_ registration: KVCacheRegistration, connection: ConnectionID = Self.worker) throws {
        try self.engine.register(registration, connection: connection)
    }

    @discardableResult
    func store(
        _ prompt: Prompt, _ chunks: Range<Int>? = nil, instance: Int64 = 1, request: String = "store", rank: Int = 0,
        worldSize: Int = 1, blocks: [[Int32]]? = nil, model: String = "model"
    ) -> TransferResult? {
        let key = prompt.key(chunks, request: request, model: model, rank: rank, worldSize: worldSize)
        let chunks = chunks ?? 0..<prompt.chunkCount
        let answers = Answers<TransferResult>()
        let groups = self.server.memory(of: InstanceID(instance))?.layout.kernelGroups.count ?? 1
        let lists = blocks ?? Array(repeating: Self.blocks(chunks.count), count: groups)
        self.engine.store(
            TransferOrder(
                key: key, instance: InstanceID(instance), blockIDs: lists, event: [], connection: Self.worker)
        ) { answers.add($0) }
        self.server.device.runAll()
        precondition(answers.count <= 1, "answered twice")
        return answers.all.first
    }

    /// Block ids 1, 2, … for a number of chunks.
    static func blocks(_ chunks: Int) -> [Int32] {
        (0..<Int32(chunks * SimulatedServer.chunkSize / SimulatedServer.blockSize)).map { $0 + 1 }
    }

    @discardableResult
    func retrieve(
        _ prompt: Prompt, _ chunks: Range<Int>? = nil, instance: Int64 = 1, request: String, rank: Int? = 0,
        worldSize: Int = 1, connection: ConnectionID = Self.worker, blocks: [[Int32]]? = nil, skip: Int = 0,
        repliesWhenLoaded: Bool = false
    ) -> TransferResult? {
        let key = prompt.key(chunks, request: request, rank: rank, worldSize: worldSize)
        let count = (chunks ?? 0..<prompt.chunkCount).count
        let answers = Answers<TransferResult>()
        let groups = self.server.memory(of: InstanceID(instance))?.layout.kernelGroups.count ?? 1
        self.engine.retrieve(
            TransferOrder(
                key: key, instance: InstanceID(instance),
                blockIDs: blocks ?? Array(repeating: Self.blocks(count), count: groups), event: [],
                skippedTokens: skip, repliesWhenLoaded: repliesWhenLoaded, connection: connection)
        ) { answers.add($0) }
        self.server.device.runAll()
        precondition(answers.count <= 1, "answered twice")
        return answers.all.first
    }

    func lookup(
        _ prompt: Prompt, request: String, connection: ConnectionID = Self.scheduler, readers: Int = 1,
        worldSize: Int = 1, model: String = "model", salt: String = ""
    ) {
        self.engine.lookup(
            prompt.key(
                request: request, model: model, rank: nil, worldSize: worldSize, readers: readers, salt: salt),
            connection: connection)
    }

    func answer(_ request: String, connection: ConnectionID = Self.scheduler) -> Int {
        self.engine.takeAnswer(requestID: request, connection: connection)
    }

    func stop() { self.server.stop() }
}
