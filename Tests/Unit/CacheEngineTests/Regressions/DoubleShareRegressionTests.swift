// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import L1Cache
import Testing

/// Several workers read the one rank's objects: a retrieve that fails uses up one share of each cell, never another
/// worker's.
@Suite struct DoubleShareRegressionTests {
    private let text = Prompt(text: 1, chunks: 4)

    @Test func aFailedRetrieveUsesOneShareOfEachCell() throws {
        let script = try EngineScript()
        defer { script.stop() }
        for instance in 1...2 as ClosedRange<Int64> { try script.register(.simulated(instance: instance)) }
        script.store(self.text)
        script.lookup(self.text, request: "r", readers: 2)
        #expect(script.answer("r") == 4)
        // The first worker has had its share of the last chunk; its retrieve of everything then fails there, after it
        // took the others'.
        #expect(script.retrieve(self.text, 3..<4, request: "r")?.isSuccessful == true)
        #expect(script.retrieve(self.text, 3..<4, instance: 2, request: "r")?.isSuccessful == true)
        #expect(script.retrieve(self.text, request: "r") == .failed)
        #expect(script.retrieve(self.text, 0..<3, instance: 2, request: "r")?.isSuccessful == true)
        #expect(script.usage.leasedCount == 0 && script.usage.heldCount == 0)
    }

    /// An object that went between lookup and retrieve: the holds are refused after the shares were taken.
    @Test func aRetrieveOfAVanishedObjectUsesOneShareOfEachCell() throws {
        let script = try EngineScript()
        defer { script.stop() }
        try script.register(.simulated(instance: 1))
        script.store(self.text)
        script.lookup(self.text, request: "r", readers: 3)
        script.engine.clear(force: true)
        script.store(self.text)
        script.lookup(self.text, request: "other", readers: 2)
        for _ in 0..<3 { #expect(script.retrieve(self.text, request: "r") == .failed) }
        for _ in 0..<2 { #expect(script.retrieve(self.text, request: "other")?.isSuccessful == true) }
        #expect(script.usage.leasedCount == 0 && script.usage.heldCount == 0)
    }
}
