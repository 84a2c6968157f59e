// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import CacheEngine
import DeviceTransfer
import EngineKit
import KVModel
import Telemetry

/// Answers the HTTP front from the engine.
final class EngineOperations: AdminOperations {
    private let engine: CacheEngine
    private let settings: ServerConfiguration
    let tiers: any AdminTiers

    init(engine: CacheEngine, tiers: any AdminTiers, configuration: ServerConfiguration) {
        self.engine = engine
        self.tiers = tiers
        self.settings = configuration
    }

    /// The HTTP front starts after the engine.
    var isReady: Bool { true }

    func status() -> JSONValue { self.engine.status() }

    func configuration() -> JSONValue { self.settings.json }

    func clear(force: Bool) { self.engine.clear(force: force) }

    func checksumRefusal(instance: Int64) -> AdminError? {
        if self.settings.requests.supportedTransferMode == .engineDriven {
            return AdminError(status: 501, detail: "checksums need --supported-transfer-mode lmcache_driven or auto")
        }
        guard self.engine.isRegistered(InstanceID(instance)) else { return Self.notRegistered(instance) }
        return nil
    }

    func checksums(
        instance: Int64, blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool
    ) async -> Result<JSONValue, AdminError> {
        let result = await withCheckedContinuation { continuation in
            self.engine.checksums(
                instance: InstanceID(instance), blockIDs: blockIDs, blocksPerChunk: blocksPerChunk, layerwise: layerwise
            ) { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(.chunks(let sums)): return .success(.array(sums.map { .string($0) }))
        case .success(.layers(let layers)):
            return .success(
                .object(
                    layers.enumerated().map { index, sums in ("layer_\(index)", .array(sums.map { .string($0) })) }))
        case .failure(.notRegistered): return .failure(Self.notRegistered(instance))
        case .failure(.busy): return .failure(AdminError(status: 503, detail: "the device's queue is full; try again"))
        case .failure(.refused(let error)): return .failure(Self.refusal(error))
        }
    }

    private static func notRegistered(_ instance: Int64) -> AdminError {
        AdminError(status: 404, detail: "instance_id \(instance) not registered")
    }

    private static func refusal(_ error: ChecksumError) -> AdminError {
        switch error {
        case .unsupportedFormat: AdminError(status: 501, detail: error.description)
        case .blockOutOfRange: AdminError(status: 400, detail: error.description)
        default: AdminError(status: 503, detail: error.description)
        }
    }
}
