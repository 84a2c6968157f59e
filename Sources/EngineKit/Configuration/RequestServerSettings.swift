// lmcache · SPDX-License-Identifier: Apache-2.0

/// The request server: endpoints, hashing, transfer modes and liveness (`mp` in `/config`).
package struct RequestServerSettings: Hashable, Sendable {
    /// Transports that LMCache knows.
    package enum Transport: String, CaseIterable, Sendable {
        case zmq, grpc
    }

    /// Engine types that LMCache knows.
    package enum EngineType: String, CaseIterable, Sendable {
        case `default`, blend
    }

    /// Which transfer operations are answered.
    package enum TransferMode: String, CaseIterable, Sendable {
        /// STORE and RETRIEVE: the server copies.
        case serverDriven = "lmcache_driven"
        /// PREPARE and COMMIT: the engine copies.
        case engineDriven = "engine_driven"
        /// Both.
        case auto
    }

    /// Identity of this server; made up at start when nil.
    package var instanceID: String?
    package var transport = Transport.zmq
    /// Host of the first endpoint: a name, an address, or `*`.
    package var host = "localhost"
    package var port = 5555
    /// Further endpoints.
    package var additionalEndpoints: [BindEndpoint] = []
    /// Tokens per chunk.
    package var chunkSize = 256
    /// A chunk whose every block id equals this one is not stored.
    package var nullBlockID = 0
    package var maxWorkers = 1
    /// ``maxWorkers`` when nil.
    package var maxGPUWorkers: Int?
    /// ``maxWorkers`` when nil.
    package var maxCPUWorkers: Int?
    package var grpcServerWorkers = 32
    /// A name that `--hash-algorithm` takes; ``acceptedHashAlgorithms`` are built.
    package var hashAlgorithm = "blake3"
    package var engineType = EngineType.default
    package var supportedTransferMode = TransferMode.auto
    /// Engine and server share neither an IPC namespace nor `/dev/shm`.
    package var isIsolatedIPC = false
    package var pluginLocations: [String] = []
    package var pluginConfiguration = "{}"
    /// Name of the pool's shared-memory segment; derived from user and port when empty.
    package var sharedMemoryName = ""
    package var scriptAllowedImports: [String] = []
    package var isRunScriptEnabled = false
    /// One object group for each sliding-window size.
    package var separatesObjectGroups = false
    /// Silence after which a worker that has pinged is dropped, in seconds; 0 = never.
    package var workerReapTimeoutSeconds = 120.0
    /// Idle lifetime of a session, in seconds.
    package var sessionTTLSeconds = 600.0
    /// Silence after which a worker that never pinged is dropped, in seconds.
    package var workerRegistrationGraceSeconds = 3600.0
    package var isSegmentedPrefixEnabled = false
    package var isContentDeduplicationEnabled = false
    package var isBlendReorderEnabled = false
    package var enabledModules: [String] = []
    /// Records kept for KV-event subscribers; 0 = no feed.
    package var eventLogSize = 32_768
    package var serverModules: [String] = []
    package var peerToPeer = PeerToPeerSettings()

    /// Spellings of `--hash-algorithm` that are built.
    package static let acceptedHashAlgorithms = ["blake3", "sha256_cbor"]

    package init() {}

    /// The reap limit, or nil when reaping is off.
    package var reapAfter: Duration? {
        self.workerReapTimeoutSeconds > 0 ? .seconds(self.workerReapTimeoutSeconds) : nil
    }
}

/// Sharing of caches between servers; not built, all that turns it on is refused.
package struct PeerToPeerSettings: Hashable, Sendable {
    package var advertiseURL = ""
    package var listenURL = ""
    package var lookupTimeout = 30.0
    package var loadTimeout = 30.0
    package var transferEngine = "nixl"

    package init() {}
}
