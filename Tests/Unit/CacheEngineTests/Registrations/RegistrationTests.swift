// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import Synchronization
import Testing

@testable import CacheEngine

@Suite struct RegistrationTests {
    @Test(
        arguments: [
            ("/lmcache_kv_123_0", 123), ("lmcache_kv_7_99", 7), ("//lmcache_kv_7_x", 7), ("/lmcache_kv__0", nil),
            ("/lmcache_kv_0_0", nil), ("/lmcache_kv_-3_0", nil), ("/lmcache_kv_4294967296_0", nil),
            ("/lmcache_kv_12", nil),
            ("/lmcache_kv_1_2_3", nil), ("/lmcache_q_12_0", nil), ("/other", nil), ("", nil),
        ] as [(String, Int32?)])
    func findsTheClientsProcess(name: String, expected: Int32?) {
        #expect(KVCacheRegistration.simulated(instance: 1, name: name).clientProcessID == expected)
    }

    @Test func anEqualRegistrationKeepsTheMemoryAndAnotherReplacesIt() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        let first = try #require(script.server.memory(of: InstanceID(1)))
        try script.register(.simulated(instance: 1))
        #expect(script.server.memory(of: InstanceID(1)) === first)
        #expect(!first.isClosed)
        try script.register(.simulated(instance: 1, elementType: .float16))
        #expect(first.isClosed)
        #expect(script.engine.workerCount() == 1)
    }

    @Test func refusalsSayWhy() throws {
        let script = try EngineScript()
        defer { script.stop() }
        var foreign = KVCacheRegistration.simulated(instance: 1)
        foreign.tensors[0].storage = .cudaRaw(handle: [], allocationOffset: 0, byteCount: 1)
        #expect(
            throws: EngineError.registrationRefused(
                reason: "no device here can open these descriptors; accepted: cpu_shm")
        ) { try script.register(foreign) }
        var empty = KVCacheRegistration.simulated(instance: 1)
        empty.tensors = []
        #expect(throws: EngineError.self) { try script.register(empty) }
        var blocks = EngineDrivenRegistration.simulated(instance: 1)
        for size in [0, -1, 3, 16] {
            blocks.blockSize = size
            #expect(throws: EngineError.unusableBlockSize(block: size, chunk: SimulatedServer.chunkSize)) {
                _ = try script.engine.register(blocks, connection: EngineScript.worker)
            }
        }
        #expect(script.engine.workerCount() == 0)
    }

    @Test func lookupsOfAModelWithoutWorkersMiss() throws {
        let script = try EngineScript()
        defer { script.stop() }
        let text = Prompt(text: 1, chunks: 2)
        try script.register(.simulated(instance: 1))
        script.store(text)
        script.engine.unregister(InstanceID(1))
        script.lookup(text, request: "a")
        #expect(script.answer("a") == 0)
        try script.register(.simulated(instance: 2))
        script.lookup(text, request: "b")
        #expect(script.answer("b") == 2, "objects outlive their worker")
    }

    /// A worker that comes back with another model leaves nothing of the first behind.
    @Test func anEngineDrivenWorkerThatChangesItsModelLeavesTheFirst() throws {
        let script = try EngineScript()
        defer { script.stop() }
        let connection = EngineScript.worker
        _ = try script.engine.register(EngineDrivenRegistration.simulated(instance: 1), connection: connection)
        _ = try script.engine.register(
            EngineDrivenRegistration.simulated(instance: 1, model: "second"), connection: connection)
        script.engine.unregisterEngineDriven(InstanceID(1))
        let models = ["model", "second"].map { ModelLayouts.Model(name: $0, worldSize: 1) }
        #expect(script.engine.state.withLock { state in models.map { state.layouts[$0] } } == [nil, nil])
    }
}
