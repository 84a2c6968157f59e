// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

/// The whole engine over a small arena, with a clock and a device that the test moves.
final class SimulatedServer: Sendable {
    static let chunkSize = 8
    static let blockSize = 4

    let engine: CacheEngine
    let cache: L1Cache
    let device: FakeDevice
    private let clock: VirtualClock

    /// - Parameter objects: How many objects fit.
    init(objects: Int) throws {
        let clock = VirtualClock(.seconds(1000))
        let metrics = CacheMetrics(registry: MetricsRegistry())
        let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        let recorder = EventRecorder(
            capacity: 64, incarnation: 1, reapAfter: .seconds(120), chunkSize: Self.chunkSize, metrics: metrics,
            logger: logger)
        var first = L1Configuration(capacityBytes: objects * 4096)
        first.isSharedByName = true
        first.segmentName = "simulation_\(UInt64.random(in: 0 ... .max))"
        first.headStartBytes = 1 << 20
        first.growthStepBytes = 1 << 20
        let cache = try L1Cache(configuration: first, listener: recorder)
        recorder.attach(namespace: { [weak cache] in cache?.namespace($0) ?? Namespace(modelName: "", cacheSalt: "") })
        let arena = ArenaView(base: cache.arenaBase, byteCount: objects * 4096)
        let device = FakeDevice(arena: arena, limit: 16)
        self.cache = cache
        self.device = device
        self.clock = clock
        self.engine = CacheEngine(
            configuration: EngineConfiguration(
                chunkSize: Self.chunkSize, nullBlockID: nil,
                liveness: WorkerLiveness.Limits(reapAfter: .seconds(120), registrationGrace: .seconds(3600)),
                sessionLimit: 32),
            environment: EngineEnvironment(now: { clock.now }, isProcessAlive: { _ in true }, incarnation: 1),
            parts: CacheEngine.Parts(
                cache: cache, recorder: recorder, devices: [device],
                inlineCopier: InlineChunkCopier(arena: arena, queueLimit: 4), metrics: metrics, logger: logger))
    }

    /// The latest memory that an instance registered.
    func memory(of instance: InstanceID) -> FakeEngineMemory? { self.device.memory(of: instance) }

    func advance(_ duration: Duration) {
        self.clock.advance(duration)
        _ = self.engine.tick()
    }

    func stop() { self.engine.stop() }
}

final class VirtualClock: Sendable {
    private let value: Mutex<Duration>

    init(_ start: Duration) { self.value = Mutex(start) }

    var now: Duration { self.value.withLock { $0 } }

    func advance(_ duration: Duration) { self.value.withLock { $0 += duration } }
}
