// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import Synchronization
import Telemetry

/// A server of which instance 7 is registered.
final class FakeOperations: AdminOperations {
    private struct State {
        var isReady = true
        var clears: [Bool] = []
        var chunkSizes: [Int] = []
    }

    private let state = Mutex(State())
    let fakeTiers = FakeTiers()

    var tiers: any AdminTiers { self.fakeTiers }

    var isReady: Bool {
        get { self.state.withLock { $0.isReady } }
        set { self.state.withLock { $0.isReady = newValue } }
    }

    var clears: [Bool] { self.state.withLock { $0.clears } }

    func status() -> JSONValue { ["is_healthy": true, "chunk_size": 16] }

    func configuration() -> JSONValue { ["mp": ["port": 5555], "http": [:]] }

    func clear(force: Bool) { self.state.withLock { $0.clears.append(force) } }

    func checksumRefusal(instance: Int64) -> AdminError? {
        switch instance {
        case 7, 8: nil
        case 501: AdminError(status: 501, detail: "checksum not supported for this engine type")
        default: AdminError(status: 404, detail: "instance_id \(instance) not registered")
        }
    }

    func checksums(
        instance: Int64,
        blockIDs: [Int],
        blocksPerChunk: Int,
        layerwise: Bool
    ) async -> Result<JSONValue, AdminError> {
        if instance == 8 { return .failure(AdminError(status: 404, detail: "kv_caches empty")) }
        return .success(layerwise ? ["layer_0": ["aa", "bb"]] : ["aa", "bb"])
    }
}
