// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel

extension CacheService {
    func serveLookup(_ operation: CacheOperation, _ call: ServiceCall) {
        switch operation {
        case .lookup:
            // The reply is the same whatever the request says, so it leaves first: decoding and hashing overlap with its
            // way to the client, and the client's query comes back on this connection, behind this call.
            self.answer(call, EmptyReply())
            guard let request = self.readable(LookupRequest.self, operation, call) else { return }
            self.engine.lookup(request.key, connection: call.connection)
        case .queryPrefetchStatus:
            guard let request = self.decoded(QueryPrefetchRequest.self, operation, call) else { return }
            self.answerLookup(request.requestID, call)
        case .waitPrefetchStatus:
            guard let request = self.decoded(WaitPrefetchRequest.self, operation, call) else { return }
            self.engine.awaitAnswer(
                requestID: request.requestID, connection: call.connection, seconds: request.timeoutSeconds
            ) { self.answer(call, OptionalIntReply($0.map { Int64($0) })) }
        case .freeLookupLocks:
            guard let request = self.decoded(FreeLookupLocksRequest.self, operation, call) else { return }
            self.engine.freeLeases(request.key, connection: call.connection)
            self.answer(call, EmptyReply())
        default:
            guard let request = self.decoded(EndSessionRequest.self, operation, call) else { return }
            self.engine.endSession(requestID: request.requestID, connection: call.connection)
            self.answer(call, EmptyReply())
        }
    }

    /// TensorRT-LLM asks once and computes everything itself unless the answer is there: it is answered when it is.
    private func answerLookup(_ requestID: String, _ call: ServiceCall) {
        if let chunks = self.engine.queryAnswer(requestID: requestID, connection: call.connection) {
            return self.answer(call, OptionalIntReply(Int64(chunks)))
        }
        guard self.engine.asksOnce(requestID: requestID, connection: call.connection) else {
            return self.answer(call, OptionalIntReply(nil))
        }
        self.engine.awaitAnswer(
            requestID: requestID, connection: call.connection, seconds: ProtocolLimits.waitSeconds
        ) { self.answer(call, OptionalIntReply(Int64($0 ?? 0))) }
    }
}
