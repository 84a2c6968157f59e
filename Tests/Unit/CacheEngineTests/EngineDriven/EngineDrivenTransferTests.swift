// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import Synchronization
import Testing

@testable import CacheEngine

@Suite struct EngineDrivenTransferTests {
    private let text = Prompt(text: 1, chunks: 3)
    private static let instance = InstanceID(5)

    private func script(_ change: (inout SimulatedServer.Settings) -> Void = { _ in }) throws -> EngineScript {
        let script = try EngineScript(change)
        _ = try script.engine.register(
            EngineDrivenRegistration.simulated(instance: 5), connection: EngineScript.worker)
        return script
    }

    private func order(
        _ chunks: Range<Int>? = nil, request: String = "r", connection: ConnectionID = EngineScript.worker,
        instance: InstanceID = Self.instance
    ) -> EngineDrivenOrder {
        EngineDrivenOrder(key: self.text.key(chunks, request: request), instance: instance, connection: connection)
    }

    private func commit(_ script: EngineScript, _ order: EngineDrivenOrder) -> Bool? {
        let answers = Answers<Bool>()
        script.engine.commitStore(order, data: []) { answers.add($0) }
        precondition(answers.count <= 1, "answered twice")
        return answers.all.first
    }

    private func slots(_ prepared: PreparedStore) -> Int? {
        if case .slots(let slots) = prepared { slots.places.count } else { nil }
    }

    private func readSlots(_ script: EngineScript, _ order: EngineDrivenOrder) -> Int? {
        let answers = Answers<PreparedRetrieve>()
        script.engine.prepareRetrieve(order) { answers.add($0) }
        precondition(answers.count == 1, "one answer")
        if case .slots(let slots) = answers.all.first { return slots.places.count }
        return nil
    }

    @Test func isInvisibleUntilItIsCommitted() throws {
        let script = try self.script()
        defer { script.stop() }
        #expect(self.slots(script.engine.prepareStore(self.order())) == 3)
        script.lookup(self.text, request: "a")
        #expect(script.answer("a") == 0)
        #expect(self.slots(script.engine.prepareStore(self.order())) == nil, "prepared twice")
        #expect(self.commit(script, self.order()) == true)
        #expect(self.commit(script, self.order()) == false)
        script.lookup(self.text, request: "b")
        #expect(script.answer("b") == 3)
        #expect(self.slots(script.engine.prepareStore(self.order())) == nil, "all cached")
    }

    /// After the first write's connection was lost another request writes the same range. The first one's late commit
    /// must not make the second one's half-written slots visible.
    @Test func aLateCommitPublishesNothingOfAnotherRequest() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order(request: "first"))
        script.engine.connectionClosed(EngineScript.worker)
        let second = self.order(request: "second", connection: ConnectionID(77))
        #expect(self.slots(script.engine.prepareStore(second)) == 3)
        #expect(self.commit(script, self.order(request: "first", connection: ConnectionID(77))) == false)
        #expect(script.usage.residentCount == 0)
        #expect(self.commit(script, second) == true)
    }

    /// A request that missed commits all the same; the other one is still reading.
    @Test func aCommitAfterAMissEndsNoOtherHold() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        _ = self.commit(script, self.order())
        script.lookup(self.text, request: "hit")
        #expect(self.readSlots(script, self.order(request: "miss")) == nil)
        #expect(self.readSlots(script, self.order(request: "hit")) == 3)
        script.engine.commitRetrieve(self.order(request: "miss"))
        #expect(script.usage.heldCount == 3)
        script.engine.commitRetrieve(self.order(request: "hit"))
        #expect(script.usage.heldCount == 0)
    }

    @Test func lostBytesWaitForTheirWorker() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        script.engine.connectionClosed(EngineScript.worker)
        #expect(script.usage.quarantinedCount == 3)
        script.engine.clear(force: true)
        #expect(script.usage.quarantinedCount == 3)
        #expect(script.usage.usedBytes > 0)
        script.engine.unregisterEngineDriven(Self.instance)
        #expect(script.usage.usedBytes == 0)
    }

    /// An engine may unregister its worker before it closes the connection that the worker's threads still use.
    @Test func anEndedWorkersBytesWaitForItsConnection() throws {
        let script = try self.script()
        defer { script.stop() }
        guard case .slots(let slots) = script.engine.prepareStore(self.order()) else {
            Issue.record("nothing prepared")
            return
        }
        script.engine.unregisterEngineDriven(Self.instance)
        #expect(script.usage.quarantinedCount == 3 && script.usage.stagedCount == 0)
        _ = try script.engine.register(
            EngineDrivenRegistration.simulated(instance: 5), connection: EngineScript.worker)
        #expect(self.commit(script, self.order()) == false, "prepared before the end")
        guard case .slots(let others) = script.engine.prepareStore(self.order(request: "again")) else {
            Issue.record("the keys are free")
            return
        }
        #expect(Set(slots.places.map(\.offset)).isDisjoint(with: others.places.map(\.offset)))
        #expect(self.commit(script, self.order(request: "again")) == true)
        script.engine.connectionClosed(EngineScript.worker)
        #expect(script.usage.quarantinedCount == 0 && script.usage.residentCount == 3)
    }

    @Test func aReapedReadersSlotsStayUntilItsConnectionCloses() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        #expect(self.commit(script, self.order()) == true)
        script.lookup(self.text, request: "read")
        #expect(self.readSlots(script, self.order(request: "read")) == 3)
        #expect(script.engine.ping(Self.instance, connection: EngineScript.worker))
        #expect(script.server.advance(.seconds(121)) == [Self.instance])
        script.engine.clear(force: true)
        #expect(script.usage.usedBytes > 0)
        script.engine.connectionClosed(EngineScript.worker)
        #expect(script.usage.usedBytes == 0)
    }

    /// The same registration on a new connection is a process that started again.
    @Test func aRegistrationElsewhereEndsTheEarlierWorker() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        script.engine.connectionClosed(EngineScript.worker)
        #expect(script.usage.quarantinedCount == 3)
        _ = try script.engine.register(EngineDrivenRegistration.simulated(instance: 5), connection: ConnectionID(9))
        #expect(script.usage.usedBytes == 0)
    }

    @Test func anOverdueWriteFreesItsKeysOnly() throws {
        let script = try self.script { $0.writeTimeToLive = .seconds(60) }
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        script.server.advance(.seconds(60))
        #expect(script.usage.stagedCount == 3)
        script.server.advance(.seconds(1))
        #expect(script.usage.quarantinedCount == 3)
        #expect(self.commit(script, self.order()) == false)
        #expect(self.slots(script.engine.prepareStore(self.order())) == 3)
    }

    @Test func aReapedWorkersBytesGo() throws {
        let script = try self.script()
        defer { script.stop() }
        #expect(script.engine.ping(Self.instance, connection: EngineScript.worker))
        _ = script.engine.prepareStore(self.order())
        script.engine.connectionClosed(EngineScript.worker)
        #expect(script.server.advance(.seconds(121)) == [Self.instance])
        #expect(script.usage.usedBytes == 0)
        #expect(!script.engine.ping(Self.instance, connection: EngineScript.worker))
        #expect(script.engine.ping(Self.instance, connection: EngineScript.worker))
    }

    @Test func aForcedClearEndsWhatIsPrepared() throws {
        let script = try self.script()
        defer { script.stop() }
        _ = script.engine.prepareStore(self.order())
        script.engine.clear(force: true)
        #expect(script.usage.usedBytes > 0, "its writer may still write")
        _ = self.commit(script, self.order())
        #expect(script.usage.residentCount == 0)
        #expect(script.usage.usedBytes == 0)
    }

    @Test func refusalsAnswer() throws {
        let script = try self.script()
        defer { script.stop() }
        let unknown = self.order(instance: InstanceID(99))
        #expect(self.slots(script.engine.prepareStore(unknown)) == nil)
        #expect(self.commit(script, unknown) == false)
        #expect(self.readSlots(script, unknown) == nil)
        script.engine.commitRetrieve(unknown)
        #expect(self.readSlots(script, self.order()) == nil, "no lookup")
        #expect(self.commit(script, self.order()) == false, "nothing prepared")
        #expect(script.usage.usedBytes == 0)
    }

    /// An empty range keeps nothing, however often it is asked for.
    @Test func anEmptyRangeKeepsNothing() throws {
        let script = try self.script()
        defer { script.stop() }
        script.lookup(self.text, request: "r")
        for _ in 0..<3 { _ = self.readSlots(script, self.order(1..<1)) }
        #expect(self.slots(script.engine.prepareStore(self.order(1..<1))) == nil)
        #expect(script.engine.state.withLock { $0.pending.openCount } == 0)
    }

    @Test func withoutAPoolBytesTravelInMessages() throws {
        let script = try self.script { $0.isSharedByName = false }
        defer { script.stop() }
        guard case .inMessage = script.engine.prepareStore(self.order()) else {
            Issue.record("slots of a pool that nobody can map")
            return
        }
        #expect(self.commit(script, self.order()) == false)
        let answers = Answers<Bool>()
        script.engine.commitStore(self.order(), data: Array("no pickle".utf8)) { answers.add($0) }
        script.server.stop()
        #expect(answers.all == [false])
        #expect(script.usage.stagedCount == 0)
    }
}
