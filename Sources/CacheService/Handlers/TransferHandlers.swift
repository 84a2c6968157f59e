// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel

extension CacheService {
    /// Stores and retrieves that the server carries out (lmcache-driven mode).
    func serveTransfer(_ operation: CacheOperation, _ call: ServiceCall) {
        guard self.mode.servesLMCacheDriven else { return self.refuseMode(operation, call) }
        let reply: @Sendable (TransferResult) -> Void = { result in
            self.answer(call, TransferReply(event: result.event, ok: result.isSuccessful))
        }
        if operation == .store {
            guard let request = self.decoded(StoreRequest.self, operation, call) else { return }
            self.engine.store(
                TransferOrder(
                    key: request.key, instance: request.instance, blockIDs: request.blockIDs, event: request.event,
                    connection: call.connection),
                reply: reply)
        } else {
            guard let request = self.decoded(RetrieveRequest.self, operation, call) else { return }
            self.engine.retrieve(
                TransferOrder(
                    key: request.key, instance: request.instance, blockIDs: request.blockIDs, event: request.event,
                    skippedTokens: request.skipFirstTokens, repliesWhenLoaded: request.key.repliesWhenLoaded,
                    connection: call.connection),
                reply: reply)
        }
    }

    /// Answers an operation of a mode that --supported-transfer-mode leaves out.
    func refuseMode(_ operation: CacheOperation, _ call: ServiceCall) {
        let text = "\(operation.rawValue) is not served with --supported-transfer-mode \(self.mode.rawValue)"
        self.complain(operation.rawValue, text)
        self.fail(operation, call, text, reason: "transfer_mode")
    }
}
