// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel

extension CacheService {
    /// Opens a stream of KV events; what follows is sent as the client's credit allows.
    func serveSubscription(_ call: ServiceCall) {
        guard let request = self.decoded(SubscribeKVEventsRequest.self, .subscribeKVEvents, call) else { return }
        let stream = EventStreamID(
            connection: call.connection, uid: call.request.uid, operation: call.request.operationFrame)
        self.engine.recorder.subscribe(
            request.instance, stream: stream, model: request.modelName, cursor: request.cursor,
            limit: request.batchLimit, now: self.engine.now)
    }

    /// Takes a client's control message. Unknown streams are ignored.
    func receiveStreamControl(_ control: StreamControl, stream: EventStreamID) {
        switch control {
        case .ack: self.engine.recorder.acknowledged(stream)
        case .cancel: self.engine.recorder.cancelled(stream)
        }
    }

    func deliver(_ actions: [KVSubscriptionAction]) {
        for action in actions {
            switch action {
            case .send(let events, let stream):
                let value = KVEventReply(KVEventBatch(events)).encoded() ?? []
                self.send([stream.uid, stream.operation, value], stream.connection)
            case .end(let stream): self.send([stream.uid, stream.operation], stream.connection)
            }
        }
    }
}

extension KVEventBatch {
    fileprivate init(_ events: KVEvents) {
        self.init(
            enabled: events.isEnabled, incarnation: events.incarnation, nextCursor: events.nextCursor,
            lost: events.isLost,
            events: events.records.map { record in
                .init(
                    sequence: record.sequence, kind: record.kind == .stored ? .stored : .removed,
                    modelName: record.modelName, blockHashes: record.hashes, parentBlockHash: record.parent,
                    tokenIDs: Array(record.tokens))
            })
    }
}
