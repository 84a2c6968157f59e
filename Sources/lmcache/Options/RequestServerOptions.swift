// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

private let defaults = RequestServerSettings()

/// Flags of the request server.
struct RequestServerOptions: ParsableArguments {
    @Option(help: "Identity of this server (default: a random UUID).")
    var instanceId: String?

    @Option(help: "Request transport; only zmq is built.")
    var transport = defaults.transport

    @Option(help: "Bind host of the request server.")
    var host = defaults.host

    @Option(
        help: .given("Bind port of the request server.", "n", default: defaults.port),
        transform: Accepted.integer(SettingLimits.port)
    )
    var port = defaults.port

    @Option(
        name: .customLong("bind"),
        parsing: .singleValue,
        help: ArgumentHelp("Further endpoint, tcp://HOST:PORT or ipc://PATH; repeatable.", valueName: "endpoint"),
        transform: Accepted.endpoint
    )
    var endpoints: [BindEndpoint] = []

    @Option(
        help: .given("Tokens per chunk; a multiple of every engine's block size.", "n", default: defaults.chunkSize),
        transform: Accepted.integer(SettingLimits.chunkSize)
    )
    var chunkSize = defaults.chunkSize

    @Option(
        help: .given(
            "Engine block id that means no data; a chunk of only such blocks is not stored. -1 for none.",
            "n",
            default: defaults.nullBlockID
        ),
        transform: Accepted.integer(SettingLimits.nullBlockID)
    )
    var nullBlockId = defaults.nullBlockID

    @Option(
        help: .given("No effect: threads need no tuning here.", "n", default: defaults.maxWorkers),
        transform: Accepted.integer(SettingLimits.workers)
    )
    var maxWorkers = defaults.maxWorkers

    @Option(help: .given("No effect, as --max-workers.", "n"), transform: Accepted.integer(SettingLimits.workers))
    var maxGpuWorkers: Int?

    @Option(help: .given("No effect, as --max-workers.", "n"), transform: Accepted.integer(SettingLimits.workers))
    var maxCpuWorkers: Int?

    @Option(
        help: .given("No effect: gRPC is not built.", "n", default: defaults.grpcServerWorkers),
        transform: Accepted.integer(SettingLimits.workers)
    )
    var grpcServerWorkers = defaults.grpcServerWorkers

    @Option(help: "Hash of token chunks: blake3 or sha256_cbor.")
    var hashAlgorithm = defaults.hashAlgorithm

    @Option(help: "Engine type; only default is built.")
    var engineType = defaults.engineType

    @Option(help: "Transfer operations that are answered.")
    var supportedTransferMode = defaults.supportedTransferMode

    @Flag(
        name: .customLong("isolated-ipc"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "Engine and server share neither an IPC namespace nor /dev/shm."
    )
    var isIsolatedIPC = defaults.isIsolatedIPC

    @Option(help: "Name of the pool's shared-memory segment (default: made of user id and port).")
    var shmName = defaults.sharedMemoryName

    @Flag(
        name: .customLong("separate-object-groups"),
        inversion: .prefixedNo,
        exclusivity: .chooseLast,
        help: "Hybrid models: one object group for each sliding-window size."
    )
    var separatesObjectGroups = defaults.separatesObjectGroups

    @Option(
        name: .customLong("kv-event-log-size"),
        help: .given(
            "Records kept for subscribers of KV events; 0 turns the feed off.",
            "n",
            default: defaults.eventLogSize
        ),
        transform: Accepted.integer(SettingLimits.eventLogSize)
    )
    var eventLogSize = defaults.eventLogSize

    @Option(
        help: ArgumentHelp(
            "File that remembers registrations over a restart; none turns it off (default: one in /dev/shm).",
            valueName: "path"
        )
    )
    var registrationJournal: String?

    func apply(to configuration: inout ServerConfiguration) {
        configuration.requests.instanceID = self.instanceId.flatMap { $0.isEmpty ? nil : $0 }
        configuration.requests.transport = self.transport
        configuration.requests.host = self.host
        configuration.requests.port = self.port
        configuration.requests.additionalEndpoints = self.endpoints
        configuration.requests.chunkSize = self.chunkSize
        configuration.requests.nullBlockID = self.nullBlockId
        configuration.requests.maxWorkers = self.maxWorkers
        configuration.requests.maxGPUWorkers = self.maxGpuWorkers
        configuration.requests.maxCPUWorkers = self.maxCpuWorkers
        configuration.requests.grpcServerWorkers = self.grpcServerWorkers
        configuration.requests.hashAlgorithm = self.hashAlgorithm
        configuration.requests.engineType = self.engineType
        configuration.requests.supportedTransferMode = self.supportedTransferMode
        configuration.requests.isIsolatedIPC = self.isIsolatedIPC
        configuration.requests.sharedMemoryName = self.shmName
        configuration.requests.separatesObjectGroups = self.separatesObjectGroups
        configuration.requests.eventLogSize = self.eventLogSize
        configuration.registrationJournal = .init(self.registrationJournal ?? "")
    }
}
