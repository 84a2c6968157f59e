// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import EngineTestSupport
import KVModel
import L1Cache

/// One engine: a scheduler's connection, and one or more workers.
struct SimulatedEngine {
    enum Kind: CaseIterable {
        /// One rank, one object group.
        case plain
        /// Two ranks.
        case twoRanks
        /// Two workers that each read the one rank's objects.
        case twoReaders
        /// A group with full attention and one that needs the last two chunks.
        case windowed
        /// The worker moves the bytes itself.
        case engineDriven
    }

    struct Worker {
        let instance: InstanceID
        let rank: Int
        var connection: ConnectionID
    }

    static let blocksPerChunk = SimulatedServer.chunkSize / SimulatedServer.blockSize
    static let blockCount = 256

    let kind: Kind
    let model: String
    var scheduler: ConnectionID
    var workers: [Worker]
    var elementType = ElementType.bfloat16
    private var nextBlock = 0

    init(number: Int, kind: Kind) {
        let base = number * 100_000
        self.kind = kind
        // Engine-driven objects of one layer have the plain engines' bytes: they share them.
        self.model = kind == .plain || kind == .engineDriven ? "model" : "model-\(kind)"
        self.scheduler = ConnectionID(UInt64(base))
        let count = kind == .twoRanks || kind == .twoReaders ? 2 : 1
        self.workers = (0..<count).map { index in
            Worker(
                instance: InstanceID(Int64(base + index)), rank: kind == .twoRanks ? index : 0,
                connection: ConnectionID(UInt64(base + 1 + index)))
        }
    }

    var worldSize: Int { self.kind == .twoRanks ? 2 : 1 }
    var readers: Int { self.kind == .twoReaders ? 2 : 1 }
    /// Needed chunks at the end of a prefix, one a kernel group; nil for all.
    var windows: [Int?] { self.kind == .windowed ? [nil, 2] : [nil] }

    func register(_ worker: Worker, at server: SimulatedServer) throws {
        if self.kind == .engineDriven {
            _ = try server.engine.register(
                EngineDrivenRegistration.simulated(
                    instance: worker.instance.rawValue, model: self.model, elementType: self.elementType),
                connection: worker.connection)
        } else {
            try server.engine.register(
                KVCacheRegistration.simulated(
                    instance: worker.instance.rawValue, model: self.model, worldSize: self.worldSize,
                    elementType: self.elementType,
                    windows: self.kind == .windowed ? [-1, 2 * SimulatedServer.chunkSize] : []),
                connection: worker.connection)
        }
    }

    func unregister(_ worker: Worker, at server: SimulatedServer) {
        if self.kind == .engineDriven {
            server.engine.unregisterEngineDriven(worker.instance)
        } else {
            server.engine.unregister(worker.instance)
        }
    }

    /// Fresh blocks for a number of chunks; the pool is large enough that none is reused while a transfer is open.
    mutating func takeBlocks(chunks: Int) -> [Int32] {
        let count = chunks * Self.blocksPerChunk
        if self.nextBlock + count > Self.blockCount { self.nextBlock = 0 }
        defer { self.nextBlock += count }
        return (self.nextBlock..<self.nextBlock + count).map { Int32($0) }
    }

    /// What a block of this engine holds: nothing of another rank, group or element type may ever be found in it.
    func content(_ prompt: Prompt, block: Int, rank: Int, kernelGroup: Int) -> UInt64 {
        let type: UInt64 = self.elementType == .bfloat16 ? 0 : 1
        return prompt.content(block: block, variant: UInt64(rank) << 8 | UInt64(kernelGroup) << 4 | type)
    }

    func schedulerKey(_ prompt: Prompt, request: String, chunks: Range<Int>? = nil) -> CacheKey {
        prompt.key(
            chunks, request: request, model: self.model, rank: nil, worldSize: self.worldSize, readers: self.readers)
    }

    func workerKey(_ prompt: Prompt, request: String, worker: Worker, chunks: Range<Int>) -> CacheKey {
        prompt.key(chunks, request: request, model: self.model, rank: worker.rank, worldSize: self.worldSize)
    }
}
