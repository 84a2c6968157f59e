// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import EngineTestSupport
import KVModel
import L1Cache
import Testing

@testable import CacheService

/// An address may be named by code of this process alone.
@Suite struct ProcessMemoryTests {
    private static let direct = ConnectionID(.max)

    private static func registration(_ instance: Int64) -> RegisterRequest {
        var registration = KVCacheRegistration.simulated(instance: instance)
        for index in registration.tensors.indices {
            registration.tensors[index].storage = .process(
                address: 4096, byteCount: registration.tensors[index].tensor.byteSpan ?? 0)
        }
        return RegisterRequest(registration: registration)
    }

    private static func isRefused(_ outcome: ReplyFrames.Outcome?) -> Bool {
        guard case .refused(let reason)? = outcome else { return false }
        return reason.contains("memory of this process is not accepted from other processes")
    }

    @Test func aServerRefusesAddressesFromEveryConnection() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        for connection in [ServiceScript.client, Self.direct, ConnectionID(0)] {
            #expect(Self.isRefused(script.ask(.registerKVCache, Self.registration(1), from: connection)))
        }
        #expect(script.server.engine.workerCount() == 0)
    }

    @Test func onlyTheDirectConnectionMayNameAddresses() throws {
        let script = try ServiceScript(directConnection: Self.direct)
        defer { script.stop() }
        #expect(Self.isRefused(script.ask(.registerKVCache, Self.registration(1))))
        // One tensor is enough.
        var mixed = Self.registration(2).registration
        mixed.tensors.append(contentsOf: KVCacheRegistration.simulated(instance: 2).tensors)
        #expect(Self.isRefused(script.ask(.registerKVCache, RegisterRequest(registration: mixed))))
        #expect(script.server.engine.workerCount() == 0)
        let value = script.value(
            .registerKVCache, Self.registration(3), as: EmptyReply.self, from: Self.direct)
        #expect(value != nil)
        #expect(script.server.engine.workerCount() == 1)
    }

    @Test func onlyTheDirectConnectionLearnsWhereThePoolIs() throws {
        let script = try ServiceScript(directConnection: Self.direct) {
            $0.isSharedByName = false
            $0.isOfferedByAddress = true
        }
        defer { script.stop() }
        let request = RegisterEngineDrivenRequest(registration: .simulated(instance: 4))
        for connection in [ServiceScript.client, ConnectionID(0)] {
            guard case .refused(let reason)? = script.ask(.registerEngineDriven, request, from: connection) else {
                Issue.record("connection \(connection) was not refused")
                continue
            }
            #expect(reason.contains("its engine's own process"))
        }
        let offer = script.value(
            .registerEngineDriven, request, as: RegisterEngineDrivenReply.self, from: Self.direct)
        let address = UInt(bitPattern: script.server.cache.arenaBase)
        #expect(offer?.shmName == "process:\(address)")
        #expect(offer?.poolSize == script.server.cache.capacityBytes)
    }

    @Test func aJournalCannotBringAddressesBack() throws {
        let entry = JournaledRegistration(
            kind: .cache, instance: InstanceID(1), frames: Self.registration(1).encodedPayloads())
        let journal = RegistrationJournal(storage: MemoryJournalStorage(journalFile([.registered(entry)]))) { _ in }
        let script = try ServiceScript(journal: journal, directConnection: Self.direct)
        defer { script.stop() }
        #expect(script.service.replayJournal() == (restored: 0, dropped: 1))
        #expect(script.server.engine.workerCount() == 0)
    }
}
