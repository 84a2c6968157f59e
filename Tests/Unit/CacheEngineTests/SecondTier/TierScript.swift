// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import EngineTestSupport
import KVModel
import L1Cache
import L2Storage

@testable import CacheEngine

/// A simulated server with tiers whose work is done when the test says so, and media that outlive both.
final class TierScript {
    let media: [MemoryMedium]
    let clock = VirtualClock(.seconds(1000))
    private(set) var tiers: [FakeTier] = []
    private(set) var ids: [TierID] = []
    private(set) var script: EngineScript
    private let change: (inout SimulatedServer.Settings) -> Void
    private let description: TierDescription

    init(
        tiers: Int = 1, capacityBytes: Int? = nil, eviction: L2AdapterConfiguration.Eviction? = nil,
        _ change: @escaping (inout SimulatedServer.Settings) -> Void = { _ in }
    ) throws {
        self.media = (0..<tiers).map { _ in MemoryMedium(capacityBytes: capacityBytes) }
        self.change = change
        self.description = TierDescription(kind: "fake", eviction: eviction)
        self.script = try EngineScript(clock: self.clock, change)
        self.addTiers()
    }

    var engine: CacheEngine { self.script.engine }
    var server: SimulatedServer { self.script.server }
    var usage: L1Usage { self.script.usage }

    private func addTiers() {
        self.tiers = self.media.map { FakeTier(medium: $0, clock: VirtualTierClock(self.clock)) }
        self.ids = self.tiers.map { self.engine.secondTier.add($0, description: self.description) }
    }

    /// A new server with an empty first tier and the same media.
    func restart() throws {
        self.script.stop()
        self.script = try EngineScript(clock: self.clock, self.change)
        self.addTiers()
    }

    /// Stores with the content of the prompt's blocks.
    func store(_ prompt: Prompt, _ chunks: Range<Int>? = nil, instance: Int64 = 1, request: String = "store") {
        let range = chunks ?? 0..<prompt.chunkCount
        let perChunk = SimulatedServer.chunkSize / SimulatedServer.blockSize
        guard let memory = self.server.memory(of: InstanceID(instance)) else { return }
        for kernel in memory.layout.kernelGroups.indices {
            for (position, block) in EngineScript.blocks(range.count).enumerated() {
                let index = range.lowerBound * perChunk + position
                memory.setContent(of: block, kernelGroup: kernel, prompt.content(block: index))
            }
        }
        self.script.store(prompt, chunks, instance: instance, request: request)
    }

    /// Retrieves all chunks and tells whether every block holds what the prompt's has.
    func retrieves(_ prompt: Prompt, _ count: Int, request: String, instance: Int64 = 1) -> Bool {
        guard let memory = self.server.memory(of: InstanceID(instance)) else { return false }
        for block in EngineScript.blocks(count) { memory.setContent(of: block, 0) }
        let result = self.script.retrieve(prompt, 0..<count, instance: instance, request: request)
        let isEqual = EngineScript.blocks(count).enumerated().allSatisfy { position, block in
            memory.content(of: block) == prompt.content(block: position)
        }
        return result?.isSuccessful == true && isEqual
    }

    func settle() { self.server.settleTiers(self.tiers) }

    func pump(after milliseconds: Int = 0) {
        self.clock.advance(.milliseconds(milliseconds))
        self.server.pumpTiers()
    }

    /// The answer as vLLM asks for it.
    func query(_ request: String, connection: ConnectionID = EngineScript.scheduler) -> Int? {
        self.engine.queryAnswer(requestID: request, connection: connection)
    }

    func stop() { self.script.stop() }
}
