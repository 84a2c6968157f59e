// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import Testing

@testable import CacheEngine

/// Sessions, lookups and leases as the operations of several connections follow each other.
@Suite struct LookupTests {
    private let text = Prompt(text: 1, chunks: 3)
    private static let other = ConnectionID(20)

    private func script(_ change: (inout SimulatedServer.Settings) -> Void = { _ in }) throws -> EngineScript {
        let script = try EngineScript(change)
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        return script
    }

    @Test func answersOnce() throws {
        let script = try self.script()
        defer { script.stop() }
        #expect(script.answer("r") == 0)
        script.lookup(self.text, request: "r")
        #expect(script.engine.unansweredLookups() == 1)
        #expect(script.answer("r") == 3)
        #expect(script.answer("r") == 0)
        #expect(script.engine.unansweredLookups() == 0)
        #expect(script.usage.leasedCount == 3, "the answer ends no lease")
    }

    @Test func everyConnectionHasItsOwnAnswer() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        script.lookup(Prompt(text: 1, chunks: 2), request: "r", connection: Self.other)
        #expect(script.answer("r") == 3)
        #expect(script.answer("r") == 0)
        #expect(script.answer("r", connection: Self.other) == 2)
    }

    @Test func anyConnectionMayAskWhereItHasNoLookup() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        #expect(script.answer("r", connection: Self.other) == 3)
        #expect(script.answer("r") == 0)
    }

    @Test func aNewLookupReplacesTheOldOneAndItsLeases() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        script.lookup(Prompt(text: 2, chunks: 3), request: "r")
        #expect(script.usage.leasedCount == 0)
        #expect(script.answer("r") == 0)
        for _ in 0..<3 { script.lookup(self.text, request: "r") }
        #expect(script.usage.leasedCount == 3)
        #expect(script.engine.sessionCount() == 1)
        script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == 0)
        #expect(script.engine.sessionCount() == 0)
    }

    @Test func aMissReplacesAHit() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        script.lookup(self.text, request: "r", model: "unknown")
        #expect(script.answer("r") == 0)
        #expect(script.usage.leasedCount == 0)
    }

    @Test func saltsAndModelsAreApart() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "a", salt: "tenant")
        #expect(script.answer("a") == 0)
        script.lookup(self.text, request: "b", readers: 0)
        #expect(script.answer("b") == 0)
        script.lookup(self.text, request: "c", worldSize: 2)
        #expect(script.answer("c") == 0)
        #expect(script.usage.leasedCount == 0)
    }

    @Test func endsWithItsConnection() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "a")
        script.lookup(self.text, request: "b")
        script.lookup(self.text, request: "b", connection: Self.other)
        script.engine.connectionClosed(EngineScript.scheduler)
        #expect(script.engine.sessionCount() == 1)
        #expect(script.usage.leasedCount == 3)
        #expect(script.answer("a") == 0)
        #expect(script.answer("b", connection: Self.other) == 3)
        script.engine.connectionClosed(Self.other)
        #expect(script.usage.leasedCount == 0)
        #expect(script.engine.sessionCount() == 0)
    }

    @Test func livesFromItsLastUse() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        for _ in 0..<4 {
            script.server.advance(.seconds(500))
            _ = script.answer("r")
            #expect(script.usage.leasedCount == 3)
        }
        script.server.advance(.seconds(599))
        #expect(script.usage.leasedCount == 3)
        script.server.advance(.seconds(6))
        #expect(script.usage.leasedCount == 0)
        #expect(script.engine.sessionCount() == 0)
    }

    @Test func theLongestUnusedSessionMakesRoom() throws {
        let script = try self.script { $0.sessionLimit = 3 }
        defer { script.stop() }
        for request in ["a", "b", "c"] {
            script.lookup(self.text, request: request)
            script.server.advance(.seconds(1))
        }
        #expect(script.answer("a") == 3)
        script.lookup(self.text, request: "d")
        #expect(script.engine.sessionCount() == 3)
        #expect(script.answer("b") == 0, "used longest ago")
        #expect(script.answer("c") == 3)
        for request in ["a", "c", "d"] {
            script.engine.endSession(requestID: request, connection: EngineScript.scheduler)
        }
        #expect(script.usage.leasedCount == 0)
    }

    // MARK: free_lookup_locks

    /// Rounds the start up and the end down.
    @Test(arguments: [
        (0, 24, 0), (0, 16, 1), (1, 24, 1), (8, 15, 3), (0, 23, 1), (24, 0, 3), (-8, 8, 2), (0, Int.max, 0),
    ])
    func freesWholeChunks(start: Int, end: Int, left: Int) throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        var key = self.text.key(request: "r", rank: nil, readers: 1)
        key.start = start
        key.end = end
        script.engine.freeLeases(key, connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == left)
    }

    @Test func freeingConsumesTheAnswer() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        script.engine.freeLeases(self.text.key(0..<1, request: "r", rank: nil, readers: 1), connection: Self.other)
        #expect(script.answer("r") == 0)
        #expect(script.usage.leasedCount == 2)
    }

    @Test func freeingAnotherTextFreesNothing() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        let foreign = Prompt(text: 2, chunks: 3)
        script.engine.freeLeases(foreign.key(request: "r", rank: nil, readers: 1), connection: Self.other)
        script.engine.freeLeases(
            self.text.key(request: "r", rank: nil, readers: 1, salt: "tenant"), connection: Self.other)
        #expect(script.usage.leasedCount == 3)
        #expect(script.answer("r") == 3)
    }

    /// One share for each reader: freeing twice what one reader has must not free the other's.
    @Test func freesAsManySharesAsTheKeySays() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r", readers: 2)
        let key = self.text.key(request: "r", rank: 0, readers: 1)
        script.engine.freeLeases(key, connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == 3)
        script.engine.freeLeases(key, connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == 0)
        script.engine.freeLeases(key, connection: EngineScript.scheduler)
        #expect(script.usage.staleHandleCount == 0)
    }

    @Test func aSchedulerFreesAllRanks() throws {
        let script = try EngineScript()
        defer { script.stop() }
        for rank in 0..<2 {
            try script.register(.simulated(instance: Int64(rank), worldSize: 2))
            script.store(self.text, instance: Int64(rank), rank: rank, worldSize: 2)
        }
        script.lookup(self.text, request: "r", worldSize: 2)
        #expect(script.answer("r") == 3)
        #expect(script.usage.leasedCount == 6)
        let rankKey = self.text.key(0..<1, request: "r", rank: 1, worldSize: 2, readers: 1)
        script.engine.freeLeases(rankKey, connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == 5)
        let key = self.text.key(0..<2, request: "r", rank: nil, worldSize: 2, readers: 1)
        script.engine.freeLeases(key, connection: EngineScript.scheduler)
        #expect(script.usage.leasedCount == 2)
    }

    // MARK: end_session

    @Test func endingASessionEndsOnlyItsOwnConnectionsPart() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        script.lookup(self.text, request: "r", connection: Self.other)
        script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        #expect(script.answer("r", connection: Self.other) == 3)
        #expect(script.usage.leasedCount == 3)
        script.engine.endSession(requestID: "r", connection: ConnectionID(99))
        #expect(script.usage.leasedCount == 0)
        script.engine.endSession(requestID: "r", connection: Self.other)
    }

    /// A copy in flight has its own hold.
    @Test func endingASessionOvertakesARetrieve() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        let answers = Answers<TransferResult>()
        script.engine.retrieve(
            TransferOrder(
                key: self.text.key(request: "r"), instance: InstanceID(1), blockIDs: [EngineScript.blocks(3)],
                event: [], connection: EngineScript.worker)
        ) { answers.add($0) }
        script.engine.endSession(requestID: "r", connection: EngineScript.scheduler)
        #expect(script.usage.heldCount == 3)
        #expect(script.server.cache.clear(force: true) == 3)
        #expect(script.usage.detachedCount == 3)
        script.server.device.runAll()
        #expect(answers.all.map(\.isSuccessful) == [true])
        #expect(script.usage.usedBytes == 0)
    }
}
