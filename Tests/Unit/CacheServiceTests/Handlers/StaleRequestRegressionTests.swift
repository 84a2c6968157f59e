// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import EngineTestSupport
import KVModel
import L1Cache
import Testing

@testable import CacheService

/// Requests that their engine gave up while the server stood still, and requests that arrive when it ends.
@Suite struct StaleRequestRegressionTests {
    private let text = Prompt(text: 1, chunks: 2)
    private let instance = InstanceID(1)

    private var key: CacheKey { self.text.key(request: "r") }

    private func stale<Reply: OperationReply>(
        _ script: ServiceScript, _ operation: CacheOperation, _ request: some OperationRequest, as type: Reply.Type
    ) -> Reply? {
        let before = script.sent().count
        script.service.receive(
            RequestFrames.encode(uid: 77, operation: operation, request), from: ServiceScript.client, isStale: true)
        let replies = script.sent().dropFirst(before)
        guard replies.count == 1, let frames = replies.last, let reply = ReplyFrames(frames), reply.uid == 77,
            case .value(operation, let value) = reply.outcome
        else { return nil }
        return try? Reply(frame: value)
    }

    private func store(_ blocks: [Int32]) -> StoreRequest {
        StoreRequest(key: self.key, instance: self.instance, blockIDs: [blocks], event: [9])
    }

    @Test func aStaleStoreOrRetrieveMovesNothingAndKeepsTheLeases() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        try script.server.engine.register(KVCacheRegistration.simulated(instance: 1), connection: ServiceScript.client)
        #expect(self.stale(script, .store, self.store([1, 2, 3, 4]), as: TransferReply.self) == .failed)
        script.server.device.runAll()
        #expect(script.server.cache.usage().usedBytes == 0)
        #expect(script.value(.store, self.store([1, 2, 3, 4]), as: TransferReply.self)?.ok == true)
        let lookup = LookupRequest(key: self.text.key(request: "r", rank: nil, readers: 1))
        #expect(self.stale(script, .lookup, lookup, as: EmptyReply.self) != nil)
        let query = QueryPrefetchRequest(requestID: "r")
        #expect(self.stale(script, .queryPrefetchStatus, query, as: OptionalIntReply.self)?.value == 2, "served")
        let retrieve = RetrieveRequest(
            key: self.key, instance: self.instance, blockIDs: [[5, 6, 7, 8]], event: [], skipFirstTokens: 0)
        #expect(self.stale(script, .retrieve, retrieve, as: TransferReply.self) == .failed)
        #expect(script.value(.retrieve, retrieve, as: TransferReply.self)?.ok == true, "the share is still there")
        let end = EndSessionRequest(requestID: "r")
        #expect(self.stale(script, .endSession, end, as: EmptyReply.self) != nil)
        #expect(script.server.engine.sessionCount() == 0)
        #expect(script.log.warnings(containing: "stood still").count == 1, "said once")
    }

    @Test func aStaleCommitIsNeverVisibleAndItsSlotsStayWithTheWorker() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let registration = RegisterEngineDrivenRequest(registration: .simulated(instance: 1))
        _ = script.value(.registerEngineDriven, registration, as: RegisterEngineDrivenReply.self)
        let prepare = PrepareStoreRequest(key: self.key, instance: self.instance)
        #expect(self.stale(script, .prepareStore, prepare, as: PrepareStoreReply.self) == .nothing)
        #expect(script.server.cache.usage().usedBytes == 0)
        let first = script.value(.prepareStore, prepare, as: PrepareStoreReply.self)?.slots
        #expect(first?.count == 2)
        let commit = CommitStoreRequest(key: self.key, instance: self.instance, data: [])
        #expect(self.stale(script, .commitStore, commit, as: BoolReply.self)?.value == false)
        #expect(script.value(.commitStore, commit, as: BoolReply.self)?.value == false)
        #expect(script.server.cache.usage().residentCount == 0)
        let second = script.value(.prepareStore, prepare, as: PrepareStoreReply.self)?.slots
        #expect(second?.count == 2, "the keys are free")
        let (firstOffsets, secondOffsets) = (Set(first?.map(\.offset) ?? []), Set(second?.map(\.offset) ?? []))
        #expect(firstOffsets.isDisjoint(with: secondOffsets))
        #expect(script.value(.commitStore, commit, as: BoolReply.self)?.value == true)
        let lookup = LookupRequest(key: self.text.key(request: "r", rank: nil, readers: 1))
        _ = script.value(.lookup, lookup, as: EmptyReply.self)
        let read = PrepareRetrieveRequest(key: self.key, instance: self.instance)
        #expect(self.stale(script, .prepareRetrieve, read, as: PrepareRetrieveReply.self) == .miss)
        #expect(script.value(.prepareRetrieve, read, as: PrepareRetrieveReply.self)?.slots?.count == 2)
        let done = CommitRetrieveRequest(key: self.key, instance: self.instance)
        #expect(self.stale(script, .commitRetrieve, done, as: BoolReply.self)?.value == true)
    }

    @Test(arguments: CacheOperation.allCases) func everyStaleMessageIsAnsweredOnce(operation: CacheOperation) throws {
        let script = try ServiceScript()
        defer { script.stop() }
        script.service.receive(
            [RequestUID.encode(5), operation.encodedFrame()], from: ServiceScript.client, isStale: true)
        #expect(script.sent().count == 1)
    }

    /// A client that got slots would wait for the reply to its commit, which nobody reads any more.
    @Test(arguments: [true, false]) func afterTheDrainNothingIsPreparedAndStreamsHaveEnded(hasPool: Bool) throws {
        let script = try ServiceScript { $0.isSharedByName = hasPool }
        defer { script.stop() }
        let registration = RegisterEngineDrivenRequest(registration: .simulated(instance: 1))
        _ = script.value(.registerEngineDriven, registration, as: RegisterEngineDrivenReply.self)
        let subscribe = SubscribeKVEventsRequest(instance: self.instance, modelName: "model", cursor: 0, batchLimit: 1)
        script.service.receive(
            RequestFrames.encode(uid: 3, operation: .subscribeKVEvents, subscribe), from: ServiceScript.client)
        script.server.engine.drain(milliseconds: 0)
        let end = script.sent().last
        #expect(end?.count == 2)
        #expect(end.flatMap { ReplyFrames($0) }?.uid == 3)
        let prepare = PrepareStoreRequest(key: self.key, instance: self.instance)
        #expect(script.value(.prepareStore, prepare, as: PrepareStoreReply.self) == .nothing)
        let read = PrepareRetrieveRequest(key: self.text.key(0..<0, request: "r"), instance: self.instance)
        #expect(script.value(.prepareRetrieve, read, as: PrepareRetrieveReply.self) == .miss)
        #expect(script.value(.store, self.store([1, 2, 3, 4]), as: TransferReply.self) == .failed)
    }
}
