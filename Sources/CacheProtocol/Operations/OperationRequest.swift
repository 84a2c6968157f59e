// lmcache · SPDX-License-Identifier: Apache-2.0

/// The payloads of one request as a value.
package protocol OperationRequest: Sendable, Equatable {
    /// Decodes the payload frames, one value each, in order.
    init(payloads: [[UInt8]]) throws(ProtocolError)

    /// The payload frames as a client sends them.
    func encodedPayloads() -> [[UInt8]]
}

/// The result of one request as a value.
package protocol OperationReply: Sendable, Equatable {
    /// Decodes the value frame; nil stands for a message without one.
    init(frame: [UInt8]?) throws(ProtocolError)

    /// The value frame, or nil for a message without one.
    func encoded() -> [UInt8]?
}

extension CacheOperation {
    /// The type that this operation's payloads decode to.
    package var requestType: any OperationRequest.Type {
        switch self {
        case .registerKVCache, .registerQCache: RegisterRequest.self
        case .unregisterKVCache, .unregisterQCache, .unregisterEngineDriven, .unregisterRope: UnregisterRequest.self
        case .store, .storeQ: StoreRequest.self
        case .retrieve: RetrieveRequest.self
        case .lookup: LookupRequest.self
        case .queryPrefetchStatus: QueryPrefetchRequest.self
        case .waitPrefetchStatus: WaitPrefetchRequest.self
        case .freeLookupLocks: FreeLookupLocksRequest.self
        case .endSession: EndSessionRequest.self
        case .registerEngineDriven: RegisterEngineDrivenRequest.self
        case .prepareStore: PrepareStoreRequest.self
        case .commitStore: CommitStoreRequest.self
        case .prepareRetrieve: PrepareRetrieveRequest.self
        case .commitRetrieve: CommitRetrieveRequest.self
        case .clear: ClearRequest.self
        case .getChunkSize, .getExperimental, .noop: EmptyRequest.self
        case .ping: PingRequest.self
        case .reportBlockAllocation: ReportBlockAllocationRequest.self
        case .subscribeKVEvents: SubscribeKVEventsRequest.self
        case .serverModuleCall: ServerModuleCallRequest.self
        case .registerRope: RegisterRopeRequest.self
        case .retrievePreComputed: RetrievePreComputedRequest.self
        case .unifiedLookup: UnifiedLookupRequest.self
        case .reorderPlan: ReorderPlanRequest.self
        case .protocolHandshake: ProtocolHandshakeRequest.self
        case .peerLookupAndLock: PeerLookupRequest.self
        case .peerQueryLookupResults: PeerQueryRequest.self
        case .peerUnlockObjects: PeerUnlockRequest.self
        }
    }

    /// The type that this operation's result decodes to.
    package var replyType: any OperationReply.Type {
        switch self {
        case .registerKVCache, .unregisterKVCache, .registerQCache, .unregisterQCache, .lookup, .freeLookupLocks,
            .endSession, .unregisterEngineDriven, .clear, .reportBlockAllocation, .registerRope, .unregisterRope,
            .peerUnlockObjects:
            EmptyReply.self
        case .store, .storeQ, .retrieve, .retrievePreComputed: TransferReply.self
        case .queryPrefetchStatus, .waitPrefetchStatus: OptionalIntReply.self
        case .getChunkSize, .peerLookupAndLock: IntReply.self
        case .ping, .commitStore, .commitRetrieve: BoolReply.self
        case .noop: StringReply.self
        case .getExperimental: StringListReply.self
        case .registerEngineDriven: RegisterEngineDrivenReply.self
        case .prepareStore: PrepareStoreReply.self
        case .prepareRetrieve: PrepareRetrieveReply.self
        case .subscribeKVEvents: KVEventReply.self
        case .serverModuleCall: ServerModuleReply.self
        case .unifiedLookup: UnifiedLookupReply.self
        case .reorderPlan: IntListReply.self
        case .protocolHandshake: ProtocolHandshakeReply.self
        case .peerQueryLookupResults: PeerAddressesReply.self
        }
    }
}
