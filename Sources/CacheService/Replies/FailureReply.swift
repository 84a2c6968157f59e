// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol

/// How an operation answers when it is not carried out. Wire protocol §1.5, "→ ours".
enum FailureReply: Equatable {
    /// The value frame of an ordinary reply; nil for a reply without one.
    case value([UInt8]?)
    /// A reply under another name, which makes the client's future fail at once with the reason.
    case refusal
}

extension CacheOperation {
    /// The reply that no caller of this operation is hurt by: an exception inside some of them takes an engine down.
    func failureReply(incarnation: Int64) -> FailureReply {
        switch self {
        case .store, .retrieve, .storeQ, .retrievePreComputed:
            .value(TransferReply.failed.encoded())
        case .lookup, .freeLookupLocks, .endSession, .reportBlockAllocation, .clear, .unregisterKVCache,
            .unregisterQCache, .unregisterEngineDriven, .unregisterRope, .peerUnlockObjects:
            .value(nil)
        case .queryPrefetchStatus, .waitPrefetchStatus: .value(OptionalIntReply(0).encoded())
        case .prepareStore: .value(PrepareStoreReply.nothing.encoded())
        case .prepareRetrieve: .value(PrepareRetrieveReply.miss.encoded())
        case .commitStore: .value(BoolReply(false).encoded())
        case .commitRetrieve, .ping: .value(BoolReply(true).encoded())
        case .subscribeKVEvents: .value(KVEventReply(.declined(incarnation: incarnation)).encoded())
        case .serverModuleCall: .value(ServerModuleReply.unknown(method: "").encoded())
        case .registerKVCache, .registerQCache, .registerEngineDriven, .registerRope, .getChunkSize, .getExperimental,
            .noop, .unifiedLookup, .reorderPlan, .protocolHandshake, .peerLookupAndLock, .peerQueryLookupResults:
            .refusal
        }
    }
}
