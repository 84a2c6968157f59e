// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import L1Cache
import Testing

@Suite struct RetrieveTests {
    private let text = Prompt(text: 1, chunks: 5)

    @Test func needsALookup() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        #expect(script.store(self.text)?.isSuccessful == true)
        #expect(script.retrieve(self.text, request: "r") == .failed)
        script.lookup(self.text, request: "r")
        #expect(script.retrieve(self.text, request: "r")?.isSuccessful == true)
        #expect(script.retrieve(self.text, request: "r") == .failed, "the share is used up")
        #expect(script.usage.leasedCount == 0)
        #expect(script.usage.heldCount == 0)
    }

    @Test func answersWhenLoadedWhereThatIsAskedFor() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "r")
        let result = script.retrieve(self.text, request: "r", repliesWhenLoaded: true)
        #expect(result == TransferResult(event: [], isSuccessful: true))
        #expect(script.retrieve(self.text, request: "r", repliesWhenLoaded: true) == .failed)
        #expect(script.usage.heldCount == 0)
    }

    @Test(arguments: [0, 3, 4, 7, 8, 12, 40, Int.max]) func leavesSkippedBlocksAlone(skipped: Int) throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        for block in EngineScript.blocks(5) { memory.setContent(of: block, UInt64(block) + 100) }
        script.store(self.text)
        for block in EngineScript.blocks(5) { memory.setContent(of: block, 0) }
        script.lookup(self.text, request: "r")
        #expect(script.retrieve(self.text, request: "r", skip: skipped)?.isSuccessful == true)
        for (position, block) in EngineScript.blocks(5).enumerated() {
            let isSkipped = position < skipped / SimulatedServer.blockSize
            #expect(memory.content(of: block) == (isSkipped ? 0 : UInt64(block) + 100))
        }
    }

    @Test func neverWritesThePlaceholderBlock() throws {
        let script = try EngineScript { $0.nullBlockID = 0 }
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        for block in EngineScript.blocks(1) { memory.setContent(of: block, 7) }
        script.store(self.text, 0..<1)
        script.lookup(self.text, request: "r")
        #expect(script.retrieve(self.text, 0..<1, request: "r", blocks: [[0, 9]])?.isSuccessful == true)
        #expect(memory.content(of: 0) == 0)
        #expect(memory.content(of: 9) == 7)
    }

    // MARK: Request ids that several engines use

    /// The range of TensorRT-LLM is cut to what was looked up: for this text, not for another under the same id.
    @Test(arguments: [0, 2]) func cutsToTheLookupOfItsOwnText(otherHit: Int) throws {
        let script = try EngineScript { $0.objects = 64 }
        defer { script.stop() }
        try script.register(.simulatedTRTLLM(instance: 1))
        let other = Prompt(text: 2, chunks: 5)
        script.store(self.text)
        if otherHit > 0 { script.store(other, 0..<otherHit) }
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        script.lookup(self.text, request: "1", connection: ConnectionID(10))
        script.lookup(other, request: "1", connection: ConnectionID(20))
        #expect(script.answer("1", connection: ConnectionID(10)) == 5)
        for block in EngineScript.blocks(5) { memory.setContent(of: block, 99) }
        let result = script.retrieve(self.text, request: "1")
        let isLoaded = EngineScript.blocks(5).allSatisfy { memory.content(of: $0) == 0 }
        #expect(result?.isSuccessful == true)
        #expect(isLoaded, "reported as loaded, yet some blocks were not")
    }

    /// Two engines with one request id and one prompt, the second of which asked before all of it was stored.
    @Test(arguments: [true, false]) func neverCutsBelowWhatTheWorkerWasPromised(longestFirst: Bool) throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulatedTRTLLM(instance: 1))
        script.store(self.text, 0..<2)
        script.lookup(self.text, request: "1", connection: ConnectionID(10))
        script.store(self.text, 2..<5)
        script.lookup(self.text, request: "1", connection: ConnectionID(20))
        if longestFirst { script.lookup(self.text, request: "1", connection: ConnectionID(10)) }
        #expect(script.answer("1", connection: ConnectionID(20)) == 5)
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        for block in EngineScript.blocks(5) { memory.setContent(of: block, 99) }
        if script.retrieve(self.text, request: "1")?.isSuccessful == true {
            #expect(EngineScript.blocks(5).allSatisfy { memory.content(of: $0) == 0 })
        }
    }

    @Test func cutsToAPartialHit() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulatedTRTLLM(instance: 1))
        script.store(self.text, 0..<3)
        script.lookup(self.text, request: "1")
        #expect(script.answer("1") == 3)
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        for block in EngineScript.blocks(5) { memory.setContent(of: block, 99) }
        #expect(script.retrieve(self.text, request: "1")?.isSuccessful == true)
        let loaded = EngineScript.blocks(5).filter { memory.content(of: $0) == 0 }
        #expect(loaded == EngineScript.blocks(3))
    }

    /// Two engines with one request id and one prompt: each worker finds shares, whoever looked them up.
    @Test func everyLookupOfATextServesOneWorker() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "same", connection: ConnectionID(10))
        script.lookup(self.text, request: "same", connection: ConnectionID(20))
        let results = (0..<3).map { _ in script.retrieve(self.text, request: "same")?.isSuccessful }
        #expect(results == [true, true, false])
        #expect(script.usage.leasedCount == 0)
    }

    @Test func failedRetrieveOfAnotherTextTakesNoShares() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "same")
        #expect(script.retrieve(Prompt(text: 2, chunks: 5), request: "same") == .failed)
        #expect(script.retrieve(self.text, request: "same")?.isSuccessful == true)
    }

    /// One reader's failure must not eat the shares of the other.
    @Test func failedRetrieveTakesOneShareOnly() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text, 0..<3)
        script.lookup(self.text, request: "r", readers: 2)
        #expect(script.answer("r") == 3)
        #expect(script.retrieve(self.text, 0..<4, request: "r") == .failed, "the fourth chunk was not found")
        #expect(script.retrieve(self.text, 0..<3, request: "r")?.isSuccessful == true)
        #expect(script.usage.leasedCount == 0)
    }

    @Test(arguments: [true, false]) func refusedRetrieveUsesItsShareUp(isRegistered: Bool) throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "r")
        let refused =
            isRegistered
            ? script.retrieve(self.text, request: "r", blocks: [[1]])
            : script.retrieve(self.text, instance: 99, request: "r")
        #expect(refused == .failed)
        #expect(script.usage.leasedCount == 0)
    }

    @Test func anUnregisteredWorkerOfAnotherTextTakesNoShares() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "same")
        #expect(script.retrieve(Prompt(text: 2, chunks: 5), instance: 99, request: "same") == .failed)
        #expect(script.usage.leasedCount == 5)
    }

    @Test func objectsOfAnotherLayoutAreNeverFound() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1, elementType: .bfloat16))
        script.store(self.text)
        try script.register(.simulated(instance: 1, elementType: .float16))
        script.lookup(self.text, request: "r")
        #expect(script.answer("r") == 0)
        #expect(script.retrieve(self.text, request: "r") == .failed)
    }

    @Test func windowedGroupsAreLeasedAndReadAtTheirEndOnly() throws {
        let script = try EngineScript {
            $0.separatesObjectGroups = true
            $0.objects = 64
        }
        defer { script.stop() }
        // The second group needs the last 2 chunks.
        try script.register(.simulated(instance: 1, windows: [-1, 16]))
        script.store(self.text)
        #expect(script.usage.residentCount == 10)
        script.lookup(self.text, request: "r")
        #expect(script.usage.leasedCount == 5 + 2)
        let memory = try #require(script.server.memory(of: InstanceID(1)))
        for block in EngineScript.blocks(5) {
            for group in 0..<2 { memory.setContent(of: block, kernelGroup: group, 99) }
        }
        #expect(script.retrieve(self.text, request: "r")?.isSuccessful == true)
        #expect(EngineScript.blocks(5).allSatisfy { memory.content(of: $0, kernelGroup: 0) == 0 })
        let untouched = EngineScript.blocks(5).filter { memory.content(of: $0, kernelGroup: 1) == 99 }
        #expect(untouched == EngineScript.blocks(3))
        #expect(script.usage.leasedCount == 0)
    }

    /// Placeholder chunks of a windowed group are not stored, and not needed.
    @Test func placeholderChunksAreNotStored() throws {
        let script = try EngineScript {
            $0.separatesObjectGroups = true
            $0.objects = 64
            $0.nullBlockID = 0
        }
        defer { script.stop() }
        try script.register(.simulated(instance: 1, windows: [-1, 16]))
        let windowed: [Int32] = [0, 0, 0, 0, 0, 0, 7, 8, 9, 10]
        #expect(script.store(self.text, blocks: [EngineScript.blocks(5), windowed])?.isSuccessful == true)
        #expect(script.usage.residentCount == 5 + 2)
        script.lookup(self.text, request: "r")
        #expect(script.answer("r") == 5)
    }

    @Test func storeWithNothingToDoSucceedsWithoutAnEvent() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        #expect(script.store(self.text, 2..<2) == .nothingToDo)
        script.store(self.text)
        #expect(script.store(self.text) == .nothingToDo)
        #expect(script.store(self.text, instance: 9) == .failed)
    }
}
