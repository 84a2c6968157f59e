// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel
import L1Cache

extension CacheService {
    /// Prepare and commit of workers that move the bytes themselves (engine-driven mode).
    func serveEngineDriven(_ operation: CacheOperation, _ call: ServiceCall) {
        guard self.mode.servesEngineDriven else { return self.refuseMode(operation, call) }
        switch operation {
        case .prepareStore:
            guard let request = self.decoded(PrepareStoreRequest.self, operation, call) else { return }
            let prepared = self.engine.prepareStore(Self.order(request.key, request.instance, call))
            self.answer(call, PrepareStoreReply(prepared))
        case .commitStore:
            guard let request = self.decoded(CommitStoreRequest.self, operation, call) else { return }
            self.engine.commitStore(Self.order(request.key, request.instance, call), data: request.data) { isStored in
                self.answer(call, BoolReply(isStored))
            }
        case .prepareRetrieve:
            guard let request = self.decoded(PrepareRetrieveRequest.self, operation, call) else { return }
            self.engine.prepareRetrieve(Self.order(request.key, request.instance, call)) { prepared in
                self.answer(call, PrepareRetrieveReply(prepared))
            }
        default:
            guard let request = self.decoded(CommitRetrieveRequest.self, operation, call) else { return }
            self.engine.commitRetrieve(Self.order(request.key, request.instance, call))
            self.answer(call, BoolReply(true))
        }
    }

    private static func order(_ key: CacheKey, _ instance: InstanceID, _ call: ServiceCall) -> EngineDrivenOrder {
        EngineDrivenOrder(key: key, instance: instance, connection: call.connection)
    }
}

extension PrepareStoreReply {
    fileprivate init(_ prepared: PreparedStore) {
        self =
            switch prepared {
            case .slots(let slots): PrepareStoreReply(slots: slots.onTheWire, chunkIndices: slots.chunkIndices)
            case .nothing: .nothing
            case .inMessage: PrepareStoreReply(slots: nil)
            }
    }
}

extension PrepareRetrieveReply {
    fileprivate init(_ prepared: PreparedRetrieve) {
        self =
            switch prepared {
            case .slots(let slots): PrepareRetrieveReply(success: true, data: [], slots: slots.onTheWire)
            case .inMessage(let data): PrepareRetrieveReply(success: true, data: data, slots: nil)
            case .miss: .miss
            }
    }
}

extension PoolSlots {
    /// One element a slot. An engine-driven object has one part.
    fileprivate var onTheWire: [PoolSlot] {
        guard let part = self.layout.parts.first else { return [] }
        return self.places.map {
            PoolSlot(offset: $0.offset, length: $0.length, shape: part.shape, elementType: part.elementType)
        }
    }
}
