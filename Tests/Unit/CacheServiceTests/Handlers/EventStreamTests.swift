// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import EngineTestSupport
import KVModel
import Testing

@testable import CacheService

@Suite struct EventStreamTests {
    private let text = Prompt(text: 1, chunks: 3)

    private func store(_ script: ServiceScript, _ chunk: Int) {
        _ = script.value(
            .store,
            StoreRequest(
                key: self.text.key(chunk..<chunk + 1, request: "r"), instance: InstanceID(1), blockIDs: [[1, 2]],
                event: []),
            as: TransferReply.self, from: ConnectionID(8))
    }

    private func batch(_ frames: [[UInt8]]?) -> KVEventBatch? {
        frames.flatMap { $0.count == 3 ? try? KVEventReply(frame: $0[2]) : nil }?.batch
    }

    /// One batch is under way at a time: the next leaves when the client has acknowledged the last, and has something.
    @Test func sendsOneBatchForEachCredit() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        try script.server.engine.register(KVCacheRegistration.simulated(instance: 1), connection: ConnectionID(8))
        let subscribe = SubscribeKVEventsRequest(instance: InstanceID(1), modelName: "model", cursor: 0, batchLimit: 10)
        script.service.receive(
            RequestFrames.encode(uid: 3, operation: .subscribeKVEvents, subscribe), from: ServiceScript.client)
        #expect(self.batch(script.sent().last)?.enabled == true, "the first batch leaves at once")
        self.store(script, 0)
        #expect(script.sent().count == 1, "no credit")
        script.service.receive(RequestFrames.encode(uid: 4, .ack), from: ServiceScript.client)
        script.service.receive(RequestFrames.encode(uid: 3, .ack), from: ConnectionID(9))
        #expect(script.sent().count == 1, "neither another stream's nor another client's credit")
        script.service.receive(RequestFrames.encode(uid: 3, .ack), from: ServiceScript.client)
        #expect(script.sent().count == 2)
        let first = self.batch(script.sent().last)
        #expect(first?.events.map(\.tokenIDs) == [Array(self.text.tokens.prefix(8))])
        #expect(first?.events.first?.parentBlockHash == nil)
        self.store(script, 1)
        self.store(script, 2)
        #expect(script.sent().count == 2)
        script.service.receive(RequestFrames.encode(uid: 3, .ack), from: ServiceScript.client)
        let second = self.batch(script.sent().last)
        #expect(second?.events.map(\.sequence) == [2, 3])
        #expect(second?.events.first?.parentBlockHash == first?.events.first?.blockHashes.first)
        script.service.receive(RequestFrames.encode(uid: 3, .ack), from: ServiceScript.client)
        #expect(script.sent().count == 3, "an idle stream is silent")
        _ = script.value(.clear, ClearRequest(force: false), as: EmptyReply.self, from: ConnectionID(8))
        #expect(self.batch(script.sent().last)?.events.first?.kind == .removed)
        script.service.receive(RequestFrames.encode(uid: 3, .cancel), from: ServiceScript.client)
        self.store(script, 0)
        #expect(script.sent().count == 4)
    }

    @Test func aSecondSubscriptionEndsTheFirst() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let subscribe = SubscribeKVEventsRequest(instance: InstanceID(1), modelName: "model", cursor: 0, batchLimit: 1)
        for uid in 1...2 as ClosedRange<UInt64> {
            script.service.receive(
                RequestFrames.encode(uid: uid, operation: .subscribeKVEvents, subscribe), from: ServiceScript.client)
        }
        let ends = script.sent().filter { $0.count == 2 }
        #expect(ends.map { ReplyFrames($0)?.uid } == [1])
        #expect(script.sent().count == 3)
    }

    @Test func withoutALogTheStreamIsDeclined() throws {
        let script = try ServiceScript { $0.kvEventCapacity = 0 }
        defer { script.stop() }
        let subscribe = SubscribeKVEventsRequest(instance: InstanceID(1), modelName: "model", cursor: 0, batchLimit: 1)
        let reply = script.value(.subscribeKVEvents, subscribe, as: KVEventReply.self)
        #expect(reply?.batch?.enabled == false)
    }
}
