// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import KVModel
import L1Cache
import L2Storage
import Logging
import NativeThreads
import Telemetry
import Testing

@testable import CacheEngine

/// What is told about tiers: damaged objects, chunks that they bring, and how long their removal takes.
@Suite struct TierReportingTests {
    private static func secondTier(
        _ server: SimulatedServer, registry: MetricsRegistry = MetricsRegistry(),
        _ change: (inout SecondTierSettings) -> Void
    ) -> SecondTier {
        var settings = SecondTierSettings()
        change(&settings)
        return SecondTier(
            settings: settings, cache: server.cache, clock: MonotonicL2Clock(), hash: ("blake3", ""),
            metrics: CacheMetrics(registry: registry), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func whatIsDamagedIsCountedByTierAndReasonFromZeroOn() throws {
        let server = try SimulatedServer()
        defer { server.stop() }
        let registry = MetricsRegistry()
        let second = Self.secondTier(server, registry: registry) { $0.runsThreads = false }
        let adapter = FakeTier(medium: MemoryMedium(), clock: MonotonicL2Clock())
        let tier = try #require(second.tier(second.add(adapter, description: TierDescription(kind: "fake"))))
        func count(_ reason: String) -> String? {
            let name = "lmcache_mp_l2_damaged_objects_total{l2_name=\"fake\",reason=\"\(reason)\"} "
            return registry.exposition().split(separator: "\n").first { $0.hasPrefix(name) }
                .map { String($0.dropFirst(name.count)) }
        }
        for reason in ["checksum", "length", "kind"] { #expect(count(reason) == "0.0") }
        second.report(
            [
                .miss(.corrupted), .miss(.wrongLength(found: 3)), .miss(.corrupted), .miss(.notAnObject),
                .miss(.absent),
                .done(byteCount: 3), .failed(.unavailable), .miss(.otherLayout),
            ], tier)
        // One of several lengths is no damage.
        second.report([.miss(.wrongLength(found: 3)), .miss(.corrupted)], tier, knowsLengths: false)
        #expect(count("checksum") == "3.0" && count("length") == "1.0" && count("kind") == "1.0")
        #expect(second.close())
    }

    @Test func aRemovalThatWaitsForATransferEndsWithTheServer() throws {
        let server = try SimulatedServer()
        defer { server.stop() }
        let second = Self.secondTier(server) { settings in
            settings.closeMilliseconds = 100
            settings.prefetches.deadlineMilliseconds = 60_000
        }
        let adapter = FakeTier(medium: MemoryMedium(), clock: MonotonicL2Clock())
        let id = second.add(adapter, description: TierDescription(kind: "fake"))
        let namespace = try #require(
            server.cache.intern(Namespace(modelName: "m", cacheSalt: "", layoutSignature: "l")))
        var chain = PrefixChain()
        chain.update(
            to: Prompt(text: 1, chunks: 2).tokens,
            hasher: ChunkHasher(algorithm: .blake3, chunkSize: SimulatedServer.chunkSize))
        let query = PrefixQuery(
            namespace: namespace, worldSize: 1, windows: [.everything], hashes: chain.hashes, readerCount: 1)
        _ = second.warm(query, byteCounts: [[4096]])
        let limit = MonotonicL2Clock().now().advanced(milliseconds: 10_000)
        while adapter.pendingCount == 0, MonotonicL2Clock().now() < limit {}
        #expect(adapter.pendingCount > 0)
        let pause = StopSignal()
        let remover = NativeThread(name: "remover") { @Sendable in
            _ = second.remove(id, milliseconds: 30_000)
            pause.raise()
        }
        #expect(!pause.wait(milliseconds: 200))
        let started = MonotonicL2Clock().now()
        second.endRemovals()
        remover.join()
        #expect(MonotonicL2Clock().now() < started.advanced(milliseconds: 5000))
        #expect(second.reports().isEmpty)
        #expect(second.close())
    }

    /// What is loaded for one reader goes with it, and is not announced.
    @Test(arguments: [SecondTierSettings.PrefetchPolicy.drop, .retain])
    func subscribersLearnWhatASecondTierBringsAndLeaves(_ policy: SecondTierSettings.PrefetchPolicy) throws {
        let text = Prompt(text: 1, chunks: 5)
        let script = try TierScript { $0.secondTier.prefetchPolicy = policy }
        try script.script.register(.simulated(instance: 1))
        script.store(text)
        script.settle()
        try script.restart()
        defer { script.stop() }
        try script.script.register(.simulated(instance: 1))
        let recorder = script.engine.recorder
        recorder.subscribe(
            InstanceID(9), stream: EventStreamID(connection: EngineScript.scheduler, uid: [1], operation: []),
            model: "model", cursor: 0, limit: 100, now: .zero)
        script.store(text, 0..<2)
        #expect(recorder.report().nextSequence == 3)
        script.script.lookup(text, request: "r")
        script.settle()
        #expect(script.query("r") == 5)
        #expect(recorder.report().unboundStores == 0)
        #expect(recorder.report().nextSequence == (policy == .retain ? 6 : 3))
        let other = Prompt(text: 2, chunks: 3)
        script.store(other)
        script.settle()
        let before = recorder.report().nextSequence
        try script.restart()
        try script.script.register(.simulated(instance: 1))
        let second = script.engine.recorder
        second.subscribe(
            InstanceID(9), stream: EventStreamID(connection: EngineScript.scheduler, uid: [1], operation: []),
            model: "model", cursor: 0, limit: 100, now: .zero)
        #expect(before > 3)
        #expect(script.engine.warm(modelName: "model", worldSize: 1, tokens: other.tokens, cacheSalt: "")?.chunks == 3)
        script.settle()
        #expect(second.report().unboundStores == 0 && second.report().nextSequence == 4)
    }
}
