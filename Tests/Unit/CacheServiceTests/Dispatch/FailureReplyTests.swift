// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Testing

@testable import CacheService

/// The table of wire protocol §1.5, "→ ours", once more and independently.
enum ExpectedFailure: Equatable {
    case noValue
    case transfer
    case zero
    case noSlots
    case miss
    case boolean(Bool)
    case declined
    case unknownMethod
    case refusal

    static func of(_ operation: CacheOperation) -> ExpectedFailure {
        switch operation {
        case .store, .retrieve, .storeQ, .retrievePreComputed: .transfer
        case .lookup, .freeLookupLocks, .endSession, .reportBlockAllocation, .clear: .noValue
        case .unregisterKVCache, .unregisterQCache, .unregisterEngineDriven, .unregisterRope: .noValue
        case .peerUnlockObjects: .noValue
        case .queryPrefetchStatus, .waitPrefetchStatus: .zero
        case .registerKVCache, .registerEngineDriven, .registerQCache, .registerRope: .refusal
        case .prepareStore: .noSlots
        case .prepareRetrieve: .miss
        case .commitStore: .boolean(false)
        case .commitRetrieve, .ping: .boolean(true)
        case .subscribeKVEvents: .declined
        case .serverModuleCall: .unknownMethod
        case .getChunkSize, .getExperimental, .noop: .refusal
        case .unifiedLookup, .reorderPlan, .protocolHandshake, .peerLookupAndLock, .peerQueryLookupResults: .refusal
        }
    }

    /// What an ordinary reply carries; `refusal` for one under another name.
    static func read(_ operation: CacheOperation, _ outcome: ReplyFrames.Outcome?) -> ExpectedFailure? {
        switch outcome {
        case nil: return nil
        case .refused: return .refusal
        case .value(let echoed, _) where echoed != operation: return nil
        case .value(_, nil): return .noValue
        case .value(_, let frame?):
            if let reply = try? TransferReply(frame: frame) { return reply == .failed ? .transfer : nil }
            if (try? OptionalIntReply(frame: frame)) == OptionalIntReply(0) { return .zero }
            if let reply = try? BoolReply(frame: frame) { return .boolean(reply.value) }
            if (try? PrepareRetrieveReply(frame: frame)) == .miss { return .miss }
            if (try? PrepareStoreReply(frame: frame)) == .nothing { return .noSlots }
            if let batch = (try? KVEventReply(frame: frame))?.batch { return batch.enabled ? nil : .declined }
            if let reply = try? ServerModuleReply(frame: frame) { return reply.success ? nil : .unknownMethod }
            return nil
        }
    }
}

@Suite struct FailureReplyTests {
    @Test(arguments: CacheOperation.allCases) func isTheReplyOfTheTable(operation: CacheOperation) {
        switch operation.failureReply(incarnation: 9) {
        case .refusal: #expect(ExpectedFailure.of(operation) == .refusal)
        case .value(let frame):
            #expect(ExpectedFailure.read(operation, .value(operation, frame)) == ExpectedFailure.of(operation))
        }
    }
}
