// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import EngineTestSupport
import KVModel
import L1Cache
import Testing

@testable import CacheService

@Suite struct TransferHandlersTests {
    private let text = Prompt(text: 1, chunks: 2)

    private func store(_ script: ServiceScript, instance: Int64 = 1) -> TransferReply? {
        script.value(
            .store,
            StoreRequest(
                key: self.text.key(request: "r"), instance: InstanceID(instance), blockIDs: [[1, 2, 3, 4]], event: [9]),
            as: TransferReply.self)
    }

    private func retrieve(_ script: ServiceScript) -> TransferReply? {
        script.value(
            .retrieve,
            RetrieveRequest(
                key: self.text.key(request: "r"), instance: InstanceID(1), blockIDs: [[1, 2, 3, 4]], event: [],
                skipFirstTokens: 0),
            as: TransferReply.self)
    }

    @Test func aRequestsWholeLife() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let registration = RegisterRequest(registration: .simulated(instance: 1))
        #expect(script.value(.registerKVCache, registration, as: EmptyReply.self) != nil)
        #expect(self.store(script)?.ok == true)
        #expect(self.store(script) == TransferReply(event: [], ok: true))
        let key = self.text.key(request: "r", rank: nil, readers: 1)
        #expect(script.value(.lookup, LookupRequest(key: key), as: EmptyReply.self) != nil)
        let query = QueryPrefetchRequest(requestID: "r")
        #expect(script.value(.queryPrefetchStatus, query, as: OptionalIntReply.self)?.value == 2)
        #expect(script.value(.queryPrefetchStatus, query, as: OptionalIntReply.self)?.value == 0)
        #expect(self.retrieve(script)?.ok == true)
        #expect(self.retrieve(script) == .failed)
        #expect(script.value(.endSession, EndSessionRequest(requestID: "r"), as: EmptyReply.self) != nil)
        let end = UnregisterRequest(instance: InstanceID(1))
        #expect(script.value(.unregisterKVCache, end, as: EmptyReply.self) != nil)
        #expect(script.value(.unregisterKVCache, end, as: EmptyReply.self) != nil)
        #expect(self.store(script) == .failed)
    }

    /// The reply waits for the copy, comes once, and under the request's own number.
    @Test(arguments: [false, true]) func deferredRepliesComeOnceAndInOrder(isFailing: Bool) throws {
        let script = try ServiceScript()
        defer { script.stop() }
        try script.server.engine.register(KVCacheRegistration.simulated(instance: 1), connection: ServiceScript.client)
        for uid in 1...2 as ClosedRange<UInt64> {
            let chunk = Int(uid) - 1
            script.service.receive(
                RequestFrames.encode(
                    uid: uid, operation: .store,
                    StoreRequest(
                        key: self.text.key(chunk..<chunk + 1, request: "r"), instance: InstanceID(1),
                        blockIDs: [[1, 2]], event: [])), from: ServiceScript.client)
        }
        #expect(script.sent().isEmpty)
        #expect(script.server.cache.usage().residentCount == 0)
        for uid in 1...2 as ClosedRange<UInt64> {
            script.server.device.runNext(failing: isFailing)
            #expect(script.sent().count == Int(uid))
            let reply = script.sent().last.flatMap { ReplyFrames($0) }
            #expect(reply?.uid == uid)
        }
        #expect(script.server.cache.usage().residentCount == (isFailing ? 0 : 2))
    }

    @Test func registrationRefusalsCarryTheReason() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        var foreign = KVCacheRegistration.simulated(instance: 1)
        foreign.tensors[0].storage = .cudaRaw(
            handle: Array(repeating: 1, count: 64), allocationOffset: 0, byteCount: 1 << 20)
        guard case .refused(let reason) = script.ask(.registerKVCache, RegisterRequest(registration: foreign)) else {
            Issue.record("not refused")
            return
        }
        #expect(reason == "registration refused: no device here can open these descriptors; accepted: cpu_shm")
        var direct = EngineDrivenRegistration.simulated(instance: 1)
        direct.blockSize = 3
        let request = RegisterEngineDrivenRequest(registration: direct)
        #expect(
            script.ask(.registerEngineDriven, request)
                == .refused(
                    reason: "registration refused: block_size 3 does not divide the server's chunk size 8"))
        #expect(script.server.engine.workerCount() == 0)
    }

    @Test func engineDrivenSlotsLieInTheOfferedPool() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let request = RegisterEngineDrivenRequest(registration: .simulated(instance: 1))
        let offer = script.value(.registerEngineDriven, request, as: RegisterEngineDrivenReply.self)
        #expect(offer?.shmName.isEmpty == false)
        let (key, instance) = (self.text.key(request: "r"), InstanceID(1))
        let prepared = script.value(
            .prepareStore, PrepareStoreRequest(key: key, instance: instance), as: PrepareStoreReply.self)
        #expect(prepared?.chunkIndices == [0, 1])
        for slot in prepared?.slots ?? [] {
            #expect(slot.shape == [2, 1, 8, 8] && slot.length == 256)
            #expect(slot.offset + slot.length <= offer?.poolSize ?? 0)
        }
        let commit = CommitStoreRequest(key: key, instance: instance, data: [])
        #expect(script.value(.commitStore, commit, as: BoolReply.self)?.value == true)
        #expect(script.value(.commitStore, commit, as: BoolReply.self)?.value == false)
        let read = PrepareRetrieveRequest(key: key, instance: instance)
        #expect(script.value(.prepareRetrieve, read, as: PrepareRetrieveReply.self) == .miss)
        let lookup = LookupRequest(key: self.text.key(request: "r", rank: nil, readers: 1))
        _ = script.value(.lookup, lookup, as: EmptyReply.self)
        #expect(script.value(.prepareRetrieve, read, as: PrepareRetrieveReply.self)?.slots?.count == 2)
        let done = CommitRetrieveRequest(key: key, instance: instance)
        #expect(script.value(.commitRetrieve, done, as: BoolReply.self)?.value == true)
        #expect(script.value(.commitRetrieve, done, as: BoolReply.self)?.value == true)
    }
}
