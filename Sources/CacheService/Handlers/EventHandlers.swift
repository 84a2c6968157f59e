// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel

extension CacheService {
    /// Opens a stream of KV events; what follows is sent as the client's credit allows.
    func serveSubscription(_ call: ServiceCall) {
        guard let request = self.decoded(SubscribeKVEventsRequest.self, .subscribeKVEvents, call) else { return }
        self.engine.recorder.subscribe(
            request.instance,
            stream: EventStreamID(connection: call.connection, uid: call.uid, operation: call.operationFrame),
            model: request.modelName, cursor: request.cursor, limit: request.maximumEvents, now: self.engine.now)
    }

    /// Takes a client's `ack` or `cancel`. Anything else, and unknown streams, are ignored.
    func receiveStreamControl(_ frames: [[UInt8]], from connection: ConnectionID) {
        guard let control = StreamControl(frames: frames) else {
            return self.complain("stream", "a stream control message that is neither ack nor cancel")
        }
        let stream = EventStreamID(connection: connection, uid: frames[0], operation: [])
        switch control {
        case .acknowledge: self.engine.recorder.acknowledged(stream)
        case .cancel: self.engine.recorder.cancelled(stream)
        }
    }

    func deliver(_ actions: [KVSubscriptionAction]) {
        for action in actions {
            switch action {
            case .send(let events, let stream):
                let frames = [stream.uid, stream.operation, KVEventReply(events).encoded() ?? []]
                self.send(frames, stream.connection)
            case .end(let stream): self.send([stream.uid, stream.operation], stream.connection)
            }
        }
    }
}
