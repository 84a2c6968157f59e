// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import KVModel
import L1Cache
import Logging

extension CacheService {
    func serveRegistration(_ operation: CacheOperation, _ call: ServiceCall) {
        switch operation {
        case .registerKVCache: self.register(call)
        case .registerEngineDriven: self.registerEngineDriven(call)
        case .unregisterKVCache:
            guard let request = self.decoded(UnregisterRequest.self, operation, call) else { return }
            self.engine.unregister(request.instance)
            self.journal?.unregistered(.cache, request.instance)
            self.answer(call, EmptyReply())
        default:
            guard let request = self.decoded(UnregisterRequest.self, operation, call) else { return }
            self.engine.unregisterEngineDriven(request.instance)
            self.answer(call, EmptyReply())
        }
    }

    private func register(_ call: ServiceCall) {
        guard self.mode.servesLMCacheDriven else { return self.refuseMode(.registerKVCache, call) }
        guard let request = self.decoded(RegisterRequest.self, .registerKVCache, call) else { return }
        do throws(EngineError) {
            try self.checkProcessMemory(request.registration, from: call.connection)
            try self.engine.register(request.registration, connection: call.connection)
        } catch {
            self.logger.error("\(error)")
            return self.fail(.registerKVCache, call, String(describing: error), reason: "registration")
        }
        self.journal?.registered(
            JournaledRegistration(
                kind: .cache, instance: request.registration.instanceID, frames: call.request.payloads))
        self.answer(call, EmptyReply())
    }

    /// An address is something that only this process's own code may name.
    private func checkProcessMemory(
        _ registration: KVCacheRegistration, from connection: ConnectionID?
    ) throws(EngineError) {
        guard registration.tensors.contains(where: \.isOfProcess) else { return }
        guard let connection, connection == self.directConnection else {
            throw .registrationRefused(reason: "memory of this process is not accepted from other processes")
        }
    }

    /// Nor does another process learn one.
    private func checkProcessPool(from connection: ConnectionID?) throws(EngineError) {
        guard self.engine.cache.pool?.isAddress == true, connection != self.directConnection else { return }
        throw .registrationRefused(reason: "the cache lies in its engine's own process, which alone may reach its pool")
    }

    private func registerEngineDriven(_ call: ServiceCall) {
        guard self.mode.servesEngineDriven else { return self.refuseMode(.registerEngineDriven, call) }
        guard let request = self.decoded(RegisterEngineDrivenRequest.self, .registerEngineDriven, call) else { return }
        do throws(EngineError) {
            try self.checkProcessPool(from: call.connection)
            let pool = try self.engine.register(request.registration, connection: call.connection)
            self.answer(
                call, RegisterEngineDrivenReply(shmName: pool?.name ?? "", poolSize: pool?.byteCount ?? 0))
        } catch {
            self.logger.error("\(error)")
            self.fail(.registerEngineDriven, call, String(describing: error), reason: "registration")
        }
    }

    /// Takes up the registrations that an earlier process left, where their memory can still be opened.
    ///
    /// Only workers whose memory the server maps: those of the other mode would go on writing to slots of a pool that is
    /// gone, so they must register anew, which the first false ping makes them do.
    ///
    /// - Returns: How many were taken up and how many were not.
    package func replayJournal() -> (restored: Int, dropped: Int) {
        guard let journal = self.journal else { return (0, 0) }
        var counts = (restored: 0, dropped: 0)
        for entry in journal.live {
            do {
                guard entry.kind == .cache else { throw EngineError.registrationRefused(reason: "pool is gone") }
                let request = try RegisterRequest(payloads: entry.frames)
                try self.checkProcessMemory(request.registration, from: nil)
                try self.engine.register(request.registration, connection: nil)
                counts.restored += 1
            } catch {
                self.logger.info("Journalled registration \(entry.instance) not taken up: \(error)")
                journal.unregistered(entry.kind, entry.instance)
                counts.dropped += 1
            }
        }
        return counts
    }
}
