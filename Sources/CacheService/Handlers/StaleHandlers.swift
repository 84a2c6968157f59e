// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel

extension CacheOperation {
    /// Whether serving it late would copy from or to blocks that its client uses for something else by now, or make such
    /// a copy visible.
    var movesBytes: Bool {
        switch self {
        case .store, .retrieve, .prepareStore, .commitStore, .prepareRetrieve: true
        default: false
        }
    }
}

extension CacheService {
    /// Answers a transfer that waited while the server stood still. Leases of its lookup stay with the session.
    func refuseStale(_ operation: CacheOperation, _ call: ServiceCall) {
        self.complain("stale", "\(operation.rawValue) waited while the server stood still; its engine has given it up")
        if operation == .commitStore, let request = try? CommitStoreRequest(payloads: call.request.payloads) {
            self.engine.abandonStore(
                EngineDrivenOrder(key: request.key, instance: request.instance, connection: call.connection))
        }
        self.fail(operation, call, "the server stood still", reason: "stale")
    }
}
