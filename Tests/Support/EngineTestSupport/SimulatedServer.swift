// lmcache · SPDX-License-Identifier: Apache-2.0

package import CacheEngine
import DeviceTransfer
package import KVModel
package import L1Cache
package import Logging
import Telemetry

/// The whole engine over a small arena, with a clock and a device that the test moves.
package final class SimulatedServer: Sendable {
    package static let chunkSize = 8
    package static let blockSize = 4

    package struct Settings: Sendable {
        /// How many objects fit.
        package var objects = 24
        package var deviceQueueLimit = 16
        package var nullBlockID: Int?
        package var separatesObjectGroups = false
        /// False: no pool, bytes travel in messages.
        package var isSharedByName = true
        /// Of a pool without a name.
        package var isOfferedByAddress = false
        package var policy = EvictionPolicyKind.lru
        package var kvEventCapacity = 64
        package var sessionLimit = 32
        package var writeTimeToLive = Duration.seconds(600)
        /// Nothing happens in the second tier but in ``SimulatedServer/pumpTiers()``.
        package var secondTier = SecondTierSettings()
        package var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }

        package init() {}
    }

    package let engine: CacheEngine
    package let cache: L1Cache
    package let device: FakeDevice
    package let clock: VirtualClock

    package init(_ settings: Settings = Settings(), clock: VirtualClock = VirtualClock(.seconds(1000))) throws {
        let logger = settings.logger
        self.clock = clock
        var secondTier = settings.secondTier
        secondTier.runsThreads = false
        let metrics = CacheMetrics(registry: MetricsRegistry())
        let recorder = EventRecorder(
            capacity: settings.kvEventCapacity, incarnation: 1, reapAfter: .seconds(120), chunkSize: Self.chunkSize,
            metrics: metrics, logger: logger)
        let cache = try L1Cache(configuration: Self.firstTier(settings), listener: recorder)
        recorder.attach(namespace: { [weak cache] in cache?.namespace($0) ?? Namespace(modelName: "", cacheSalt: "") })
        let arena = ArenaView(base: cache.arenaBase, byteCount: cache.capacityBytes)
        let device = FakeDevice(arena: arena, limit: settings.deviceQueueLimit)
        self.cache = cache
        self.device = device
        self.engine = CacheEngine(
            configuration: EngineConfiguration(
                chunkSize: Self.chunkSize, nullBlockID: settings.nullBlockID,
                separatesObjectGroups: settings.separatesObjectGroups, writeTimeToLive: settings.writeTimeToLive,
                liveness: WorkerLiveness.Limits(reapAfter: .seconds(120), registrationGrace: .seconds(3600)),
                kvEventCapacity: settings.kvEventCapacity, sessionLimit: settings.sessionLimit,
                secondTier: secondTier),
            environment: EngineEnvironment(
                now: { clock.now }, isProcessAlive: { _ in true }, incarnation: 1,
                tierClock: VirtualTierClock(clock)),
            parts: CacheEngine.Parts(
                cache: cache, recorder: recorder, devices: [device],
                inlineCopier: InlineChunkCopier(arena: arena, queueLimit: 4), metrics: metrics, logger: logger))
    }

    private static func firstTier(_ settings: Settings) -> L1Configuration {
        var first = L1Configuration(capacityBytes: settings.objects * 4096, policy: settings.policy)
        first.isSharedByName = settings.isSharedByName
        first.isOfferedByAddress = settings.isOfferedByAddress
        first.segmentName = "simulation_\(UInt64.random(in: 0 ... .max))"
        first.headStartBytes = 1 << 20
        first.growthStepBytes = 1 << 20
        return first
    }

    /// The latest memory that an instance registered.
    package func memory(of instance: InstanceID) -> FakeEngineMemory? { self.device.memory(of: instance) }

    /// Workers that were reaped.
    @discardableResult
    package func advance(_ duration: Duration) -> [InstanceID] {
        self.clock.advance(duration)
        return self.engine.tick()
    }

    /// One turn of the second tier.
    package func pumpTiers() { self.engine.secondTier.pump() }

    /// Turns of the second tier and its adapters' work until nothing is left to do.
    package func settleTiers(_ tiers: [FakeTier]) {
        self.pumpTiers()
        while tiers.contains(where: { $0.pendingCount > 0 }) {
            for tier in tiers { tier.runAll() }
            self.pumpTiers()
        }
    }

    /// The words of an object's place in the arena, as an engine that maps the pool sees them.
    package func words(_ place: ObjectPlace) -> UnsafeMutableBufferPointer<UInt64> {
        let start = (self.cache.arenaBase + place.offset).assumingMemoryBound(to: UInt64.self)
        return UnsafeMutableBufferPointer(start: start, count: place.length / 8)
    }

    package func stop() { self.engine.stop() }
}
