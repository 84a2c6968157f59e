// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import EngineTestSupport
import KVModel
import Testing

@testable import CacheService

@Suite struct JournalReplayTests {
    private static func journal(_ storage: MemoryJournalStorage) -> RegistrationJournal {
        RegistrationJournal(storage: storage) { _ in }
    }

    @Test func aRestartedServerTakesUpWhatItCanOpen() throws {
        let storage = MemoryJournalStorage(nil)
        let first = try ServiceScript(journal: Self.journal(storage))
        for instance in 1...3 as ClosedRange<Int64> {
            let request = RegisterRequest(registration: .simulated(instance: instance))
            #expect(first.value(.registerKVCache, request, as: EmptyReply.self) != nil)
        }
        let direct = RegisterEngineDrivenRequest(registration: .simulated(instance: 4))
        #expect(first.value(.registerEngineDriven, direct, as: RegisterEngineDrivenReply.self) != nil)
        let end = UnregisterRequest(instance: InstanceID(2))
        #expect(first.value(.unregisterKVCache, end, as: EmptyReply.self) != nil)
        first.stop()

        let second = try ServiceScript(journal: Self.journal(storage))
        defer { second.stop() }
        let counts = second.service.replayJournal()
        #expect(counts == (restored: 2, dropped: 0))
        func ping(_ instance: Int64) -> Bool? {
            second.value(.ping, PingRequest(instance: InstanceID(instance)), as: BoolReply.self)?.value
        }
        #expect([ping(1), ping(2), ping(3), ping(4)] == [true, false, true, false])
    }

    /// Frames that do not decode, memory that does not open, and workers of the pool that is gone.
    @Test func theRestIsDroppedForGood() throws {
        var foreign = KVCacheRegistration.simulated(instance: 2)
        foreign.tensors[0].storage = .cudaRaw(
            handle: Array(repeating: 1, count: 64), allocationOffset: 0, byteCount: 1 << 20)
        let direct = RegisterEngineDrivenRequest(registration: .simulated(instance: 3)).encodedPayloads()
        let good = RegisterRequest(registration: .simulated(instance: 5)).encodedPayloads()
        let entries = [
            JournaledRegistration(kind: .cache, instance: InstanceID(1), frames: [[0xC1]]),
            JournaledRegistration(
                kind: .cache, instance: InstanceID(2), frames: RegisterRequest(registration: foreign).encodedPayloads()),
            JournaledRegistration(kind: .engineDriven, instance: InstanceID(3), frames: direct),
            JournaledRegistration(kind: .cache, instance: InstanceID(5), frames: good),
        ]
        let storage = MemoryJournalStorage(journalFile(entries.map { .registered($0) }))
        let script = try ServiceScript(journal: Self.journal(storage))
        defer { script.stop() }
        #expect(script.service.replayJournal() == (restored: 1, dropped: 3))
        #expect(Self.journal(storage).live.map(\.instance) == [InstanceID(5)])
        #expect(script.server.engine.workerCount() == 1)
    }

    @Test func reapedAndRefusedWorkersAreNotJournalled() throws {
        let storage = MemoryJournalStorage(nil)
        let script = try ServiceScript(journal: Self.journal(storage))
        defer { script.stop() }
        var bad = KVCacheRegistration.simulated(instance: 1)
        bad.tensors = []
        _ = script.ask(.registerKVCache, RegisterRequest(registration: bad))
        #expect(Self.journal(storage).live.isEmpty)
        let request = RegisterRequest(registration: .simulated(instance: 2))
        _ = script.value(.registerKVCache, request, as: EmptyReply.self)
        _ = script.value(.ping, PingRequest(instance: InstanceID(2)), as: BoolReply.self)
        #expect(Self.journal(storage).live.count == 1)
        script.server.clock.advance(.seconds(121))
        script.service.tick()
        #expect(Self.journal(storage).live.isEmpty)
    }
}
