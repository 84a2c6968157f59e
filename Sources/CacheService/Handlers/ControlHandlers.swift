// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel
import Synchronization

extension CacheService {
    /// Operations about the server itself; all answer where they are received.
    func serveControl(_ operation: CacheOperation, _ call: ServiceCall) {
        switch operation {
        case .ping:
            guard let request = self.decoded(PingRequest.self, operation, call) else { return }
            let isWelcome = self.engine.ping(request.instance, connection: call.connection)
            let wasLost = self.connections.withLock { $0.takeNotice(for: call.connection) }
            self.answer(call, BoolReply(isWelcome && !wasLost))
        case .noop: self.answer(call, StringReply("OK"))
        case .getChunkSize: self.answer(call, IntReply(Int64(self.engine.configuration.chunkSize)))
        case .getExperimental:
            self.answer(call, StringListReply(self.capabilities))
        case .clear:
            guard let request = self.decoded(ClearRequest.self, operation, call) else { return }
            self.engine.clear(force: request.force)
            self.answer(call, EmptyReply())
        case .serverModuleCall:
            guard let request = self.decoded(ServerModuleCallRequest.self, operation, call) else { return }
            self.answer(call, ServerModuleReply.unknown(method: request.method))
        case .protocolHandshake:
            guard let request = self.decoded(ProtocolHandshakeRequest.self, operation, call) else { return }
            self.answer(call, ProtocolHandshakeReply(version: 1, isAccepted: request.version == 1))
        default:
            // Block allocations only feed statistics of the engine's own memory, which we do not keep.
            self.answer(call, EmptyReply())
        }
    }

    /// What clients may rely on beyond the protocol: events, that a store can leave out a group of layers, and that a
    /// retrieve is answered late when it asks for that.
    private var capabilities: [String] {
        let configuration = self.engine.configuration
        return (configuration.kvEventCapacity > 0 ? ["kv_event_stream"] : [])
            + (configuration.separatesObjectGroups ? ["separate_object_groups"] : [])
            + [CacheKey.repliesWhenLoadedName]
    }

    /// Operations of features that this server does not have: the reply its callers can bear.
    func serveUnsupported(_ operation: CacheOperation, _ call: ServiceCall) {
        self.complain(operation.rawValue, "\(operation.rawValue) is not supported")
        self.fail(operation, call, "\(operation.rawValue) is not supported by this server", reason: "unsupported")
    }
}
