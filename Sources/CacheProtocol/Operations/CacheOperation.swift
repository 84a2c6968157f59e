// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// The operations of LMCache 0.5.6's multiprocess protocol; raw values are their names on the wire.
///
/// Source: wire protocol §1.3.
package enum CacheOperation: String, CaseIterable, Sendable {
    case registerKVCache = "register_kv_cache"
    case unregisterKVCache = "unregister_kv_cache"
    case registerQCache = "register_q_cache"
    case unregisterQCache = "unregister_q_cache"
    case storeQ = "store_q"
    case store
    case retrieve
    case lookup
    case queryPrefetchStatus = "query_prefetch_status"
    case waitPrefetchStatus = "wait_prefetch_status"
    case freeLookupLocks = "free_lookup_locks"
    case endSession = "end_session"
    case registerEngineDriven = "register_kv_cache_engine_driven_context"
    case unregisterEngineDriven = "unregister_kv_cache_engine_driven_context"
    case prepareStore = "prepare_store"
    case commitStore = "commit_store"
    case prepareRetrieve = "prepare_retrieve"
    case commitRetrieve = "commit_retrieve"
    case clear
    case getChunkSize = "get_chunk_size"
    case ping
    case reportBlockAllocation = "report_block_allocation"
    case noop
    case registerRope = "cb_register_rope"
    case unregisterRope = "cb_unregister_rope"
    case retrievePreComputed = "cb_retrieve_pre_computed"
    case unifiedLookup = "cb_unified_lookup"
    case peerLookupAndLock = "p2p_lookup_and_lock"
    case peerQueryLookupResults = "p2p_query_lookup_results"
    case peerUnlockObjects = "p2p_unlock_objects"
    case getExperimental = "get_experimental"
    case protocolHandshake = "cb_protocol_handshake"
    case reorderPlan = "cb_reorder_plan"
    case subscribeKVEvents = "subscribe_kv_events"
    case serverModuleCall = "server_module_call"

    /// The number that stands for the name, or nil for operations younger than the table.
    ///
    /// 11 is retired.
    package var legacyID: UInt8? {
        switch self {
        case .registerKVCache: 1
        case .unregisterKVCache: 2
        case .registerQCache: 3
        case .unregisterQCache: 4
        case .storeQ: 5
        case .store: 6
        case .retrieve: 7
        case .lookup: 8
        case .queryPrefetchStatus: 9
        case .waitPrefetchStatus: 10
        case .freeLookupLocks: 12
        case .endSession: 13
        case .registerEngineDriven: 14
        case .unregisterEngineDriven: 15
        case .prepareStore: 16
        case .commitStore: 17
        case .prepareRetrieve: 18
        case .commitRetrieve: 19
        case .clear: 20
        case .getChunkSize: 21
        case .ping: 22
        case .reportBlockAllocation: 23
        case .noop: 24
        case .registerRope: 25
        case .unregisterRope: 26
        case .retrievePreComputed: 27
        case .unifiedLookup: 28
        case .peerLookupAndLock: 29
        case .peerQueryLookupResults: 30
        case .peerUnlockObjects: 31
        case .getExperimental: 32
        case .protocolHandshake: 33
        case .reorderPlan, .subscribeKVEvents, .serverModuleCall: nil
        }
    }

    /// What 0.5.3 and 0.5.4 send for `get_experimental`; other numbers of theirs above 24 have other meanings now, and
    /// none is for engines.
    private static let earlierGetExperimental: UInt8 = 40

    private static let byLegacyID: [UInt8: CacheOperation] = {
        var table = [Self.earlierGetExperimental: CacheOperation.getExperimental]
        for operation in Self.allCases {
            if let number = operation.legacyID { table[number] = operation }
        }
        return table
    }()

    /// Reads an operation frame in either spelling, number or name; nil for anything else.
    package static func decode(frame: [UInt8]) -> CacheOperation? {
        var reader = MessagePackReader(frame)
        do {
            let operation: CacheOperation?
            switch try reader.peekKind() {
            case .integer: operation = Self.byLegacyID[try reader.readInteger()]
            case .string: operation = CacheOperation(rawValue: try reader.readString())
            default: operation = nil
            }
            try reader.requireEnd()
            return operation
        } catch {
            return nil
        }
    }

    /// The frame as a 0.5.6 client sends it: the number when there is one, else the name.
    package func encodedFrame() -> [UInt8] {
        var writer = MessagePackWriter()
        if let number = self.legacyID { writer.write(number) } else { writer.write(self.rawValue) }
        return writer.bytes
    }
}
