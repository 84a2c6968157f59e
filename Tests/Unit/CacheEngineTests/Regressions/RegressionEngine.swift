// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

@testable import CacheEngine

/// An engine over a small private arena and a device whose memories say what the test wants.
struct RegressionEngine {
    static let chunkSize = 4
    let engine: CacheEngine
    let device: CountingDevice

    init() throws {
        let metrics = CacheMetrics(registry: MetricsRegistry())
        let logger = Logger(label: "regression") { _ in SwiftLogNoOpLogHandler() }
        let recorder = EventRecorder(
            capacity: 0, incarnation: 1, reapAfter: nil, chunkSize: Self.chunkSize, metrics: metrics, logger: logger)
        var first = L1Configuration(capacityBytes: 64 * 4096)
        first.isSharedByName = false
        first.growthStepBytes = 64 * 4096
        let cache = try L1Cache(configuration: first, listener: recorder)
        recorder.attach(namespace: { [weak cache] in cache?.namespace($0) ?? Namespace(modelName: "", cacheSalt: "") })
        let arena = ArenaView(base: cache.arenaBase, byteCount: 64 * 4096)
        self.device = CountingDevice()
        self.engine = CacheEngine(
            configuration: EngineConfiguration(
                chunkSize: Self.chunkSize, nullBlockID: nil,
                liveness: WorkerLiveness.Limits(reapAfter: nil, registrationGrace: .seconds(3600))),
            environment: EngineEnvironment(now: { .seconds(1) }, isProcessAlive: { _ in true }, incarnation: 1),
            parts: CacheEngine.Parts(
                cache: cache, recorder: recorder, devices: [self.device],
                inlineCopier: InlineChunkCopier(arena: arena, queueLimit: 4), metrics: metrics, logger: logger))
    }

    func registration(instance: Int64 = 1) -> KVCacheRegistration {
        let tensor = TensorDescription(
            elementType: .bfloat16, shape: [2, 8, 4, 1, 8], stride: [256, 32, 8, 8, 1], storageOffset: 0)
        return KVCacheRegistration(
            instanceID: InstanceID(instance), modelName: "model", worldSize: 1, engine: .vllm,
            tensors: [
                MemoryDescriptor(
                    storage: .cpuSharedMemory(name: "/fake", byteCount: 1024), tensor: tensor, deviceUUID: "cpu")
            ], hints: LayoutHints(kvLayout: .nhd), groups: [])
    }

    func key(_ tokens: [UInt32], request: String, worker: Int?) -> CacheKey {
        CacheKey(
            modelName: "model", worldSize: 1, workerID: worker, tokenIDs: tokens, start: 0, end: tokens.count,
            requestID: request, readerCount: worker == nil ? 1 : 0)
    }

    func order(_ tokens: [UInt32], request: String, blocks: [Int32], connection: UInt64) -> TransferOrder {
        TransferOrder(
            key: self.key(tokens, request: request, worker: 0), instance: InstanceID(1), blockIDs: [blocks], event: [],
            connection: ConnectionID(connection))
    }
}

/// Completes every transfer at once without copying, and counts how often memory was opened.
final class CountingDevice: TransferDevice {
    let name = "cpu"
    let isCurrent = Mutex(true)
    private let opened = Mutex(0)

    var openCount: Int { self.opened.withLock { $0 } }

    func accepts(_ descriptors: [MemoryDescriptor]) -> Bool { true }

    func open(_ registration: KVCacheRegistration, layout: KVCacheLayout) throws(DeviceError) -> any EngineMemory {
        self.opened.withLock { $0 += 1 }
        return CountedMemory(layout: layout, device: self)
    }

    func stop() {}
}

final class CountedMemory: EngineMemory {
    let layout: KVCacheLayout
    private let device: CountingDevice

    init(layout: KVCacheLayout, device: CountingDevice) {
        self.layout = layout
        self.device = device
    }

    var isCurrent: Bool { self.device.isCurrent.withLock { $0 } }

    func submit(_ transfer: Transfer) -> Bool {
        transfer.completed(true)
        transfer.enqueued(.success([1]))
        return true
    }

    func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool { false }

    func close() {}
}
