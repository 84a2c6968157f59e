// lmcache · SPDX-License-Identifier: Apache-2.0

import CAllocationCounter
import CacheProtocol
import CacheService
import EngineTestSupport
import KVModel
import Testing

/// A steady lookup, from its frames to the answer's, costs a fixed number of allocations: for the request's tokens, the names, the lease, the replies.
@Suite struct LookupAllocationTests {
    static let worker = InstanceID(9)

    @Test(.enabled(if: lmc_allocations_are_counted() == 1)) func noneIsMadeForEachChunk() throws {
        let script = try ServiceScript { $0.objects = 320 }
        defer { script.stop() }
        try self.register(script)
        let counts = try [16, 128].map { chunks in
            try self.store(chunks, script)
            _ = try (0..<3).map { try self.allocations(chunks, script, round: $0) }
            return try self.allocations(chunks, script, round: 3)
        }
        #expect(counts[1] <= counts[0] + 2, "\(counts[0]) for 16 chunks, \(counts[1]) for 128")
    }

    private func register(_ script: ServiceScript) throws {
        let registration = EngineDrivenRegistration(
            instanceID: Self.worker, modelName: "model", worldSize: 1, blockSize: SimulatedServer.blockSize,
            layerCount: 1, hiddenSize: 8, elementType: .float16, isMLA: false, slotCount: nil)
        let reply = script.value(
            .registerEngineDriven, RegisterEngineDrivenRequest(registration: registration),
            as: RegisterEngineDrivenReply.self)
        #expect(reply != nil)
    }

    private func key(_ chunks: Int, request: String, worker: Int?) -> CacheKey {
        // Prompts of different lengths share no chunk.
        let tokens = (0..<UInt32(chunks * SimulatedServer.chunkSize)).map { $0 + UInt32(chunks) * 10_000 }
        return CacheKey(
            modelName: "model", worldSize: 1, workerID: worker, tokenIDs: tokens, start: 0, end: tokens.count,
            requestID: request, readerCount: worker == nil ? 1 : 0)
    }

    private func store(_ chunks: Int, _ script: ServiceScript) throws {
        let key = self.key(chunks, request: "store", worker: 0)
        let prepared = script.value(
            .prepareStore, PrepareStoreRequest(key: key, instance: Self.worker), as: PrepareStoreReply.self)
        #expect(prepared?.slots?.count == chunks)
        let committed = script.value(
            .commitStore, CommitStoreRequest(key: key, instance: Self.worker, data: []), as: BoolReply.self)
        #expect(committed?.value == true)
    }

    /// Heap allocations of one lookup and its wait, frames to frames.
    private func allocations(_ chunks: Int, _ script: ServiceScript, round: Int) throws -> UInt64 {
        let request = "lookup-\(chunks)-\(round)"
        let lookup = RequestFrames.encode(
            uid: 1, operation: .lookup, LookupRequest(key: self.key(chunks, request: request, worker: nil)))
        let wait = RequestFrames.encode(
            uid: 2, operation: .waitPrefetchStatus, WaitPrefetchRequest(requestID: request, timeoutSeconds: 1))
        let end = RequestFrames.encode(
            uid: 3, operation: .endSession, EndSessionRequest(requestID: request))
        let before = lmc_allocation_count()
        script.service.receive(lookup, from: ServiceScript.client)
        script.service.receive(wait, from: ServiceScript.client)
        let count = lmc_allocation_count() - before
        let answer = script.sent().last
        script.service.receive(end, from: ServiceScript.client)
        let reply = try #require(answer.flatMap { ReplyFrames($0) })
        #expect(reply.outcome == .value(.waitPrefetchStatus, OptionalIntReply(Int64(chunks)).encoded()))
        return count
    }
}
