// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit
import Telemetry
import Testing

struct ServerConfigurationTests {
    /// The least that is valid.
    static var valid: ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.storage.poolGiB = 1
        configuration.storage.evictionPolicy = .leastRecentlyUsed
        return configuration
    }

    @Test func quickStartIsValid() throws {
        try Self.valid.validate()
        #expect(Self.valid.notices.isEmpty)
    }

    /// One change each that makes the valid configuration invalid, and the setting that the error must name.
    static let damages: [(setting: String, damage: @Sendable (inout ServerConfiguration) -> Void)] = [
        ("--transport", { $0.requests.transport = .grpc }),
        ("--host", { $0.requests.host = "" }),
        ("--port", { $0.requests.port = -1 }),
        ("--port", { $0.requests.port = Int.max }),
        ("--chunk-size", { $0.requests.chunkSize = 0 }),
        ("--null-block-id", { $0.requests.nullBlockID = -2 }),
        ("--max-workers", { $0.requests.maxWorkers = 0 }),
        ("--max-gpu-workers", { $0.requests.maxGPUWorkers = 0 }),
        ("--max-cpu-workers", { $0.requests.maxCPUWorkers = Int.min }),
        ("--grpc-server-workers", { $0.requests.grpcServerWorkers = 0 }),
        ("--hash-algorithm", { $0.requests.hashAlgorithm = "builtin" }),
        ("--engine-type", { $0.requests.engineType = .blend }),
        ("--shm-name", { $0.requests.sharedMemoryName = "../x" }),
        ("--shm-name", { $0.requests.sharedMemoryName = String(repeating: "x", count: 201) }),
        (
            "--shm-name",
            {
                $0.requests.sharedMemoryName = "x"
                $0.requests.isIsolatedIPC = true
            }
        ),
        ("--worker-reap-timeout-seconds", { $0.requests.workerReapTimeoutSeconds = 29 }),
        ("--worker-reap-timeout-seconds", { $0.requests.workerReapTimeoutSeconds = .nan }),
        ("--worker-reap-timeout-seconds", { $0.requests.workerReapTimeoutSeconds = -.infinity }),
        ("--session-ttl-seconds", { $0.requests.sessionTTLSeconds = 0 }),
        ("--session-ttl-seconds", { $0.requests.sessionTTLSeconds = .infinity }),
        ("--worker-registration-grace-seconds", { $0.requests.workerRegistrationGraceSeconds = 100 }),
        ("--worker-registration-grace-seconds", { $0.requests.workerRegistrationGraceSeconds = .infinity }),
        ("--kv-event-log-size", { $0.requests.eventLogSize = -1 }),
        ("--runtime-plugin-locations", { $0.requests.pluginLocations = ["x"] }),
        ("--server-module", { $0.requests.serverModules = ["{}"] }),
        ("--run-script-api-enabled", { $0.requests.isRunScriptEnabled = true }),
        ("--enable", { $0.requests.enabledModules = ["transfer_query"] }),
        ("--p2p-advertise-url", { $0.requests.peerToPeer.advertiseURL = "h:1" }),
        ("--p2p-listen-url", { $0.requests.peerToPeer.listenURL = "h:1" }),
        ("--p2p-lookup-timeout", { $0.requests.peerToPeer.lookupTimeout = 0 }),
        ("--p2p-load-timeout", { $0.requests.peerToPeer.loadTimeout = .nan }),
        ("--l1-size-gb", { $0.storage.poolGiB = nil }),
        ("--l1-size-gb", { $0.storage.poolGiB = 0 }),
        ("--l1-size-gb", { $0.storage.poolGiB = -1 }),
        ("--l1-size-gb", { $0.storage.poolGiB = .infinity }),
        ("--l1-size-gb", { $0.storage.poolGiB = .nan }),
        ("--l1-size-gb", { $0.storage.poolGiB = 1e-9 }),
        ("--l1-align-bytes", { $0.storage.alignment = 0 }),
        ("--l1-align-bytes", { $0.storage.alignment = 6000 }),
        ("--l1-manager", { $0.storage.l1Managers = ["{}"] }),
        ("--l1-use-hugepages", { $0.storage.usesHugePages = true }),
        ("--l1-devdax-path", { $0.storage.devdaxPath = "/dev/dax" }),
        ("--gds-l1-path", { $0.storage.gdsPath = "/x" }),
        ("--l2-adapter", { $0.storage.l2Adapters = ["{}"] }),
        ("--l1-write-ttl-seconds", { $0.storage.writeTTLSeconds = 0 }),
        ("--l1-read-ttl-seconds", { $0.storage.readTTLSeconds = -1 }),
        ("--l1-init-size-gb", { $0.storage.initialGiB = -1 }),
        ("--eviction-policy", { $0.storage.evictionPolicy = nil }),
        ("--eviction-policy", { $0.storage.evictionPolicy = .adaptive }),
        ("--eviction-policy", { $0.storage.evictionPolicy = .isolated }),
        ("--eviction-trigger-watermark", { $0.storage.evictionTriggerWatermark = 1.01 }),
        ("--eviction-ratio", { $0.storage.evictionRatio = 0 }),
        ("--l2-prefetch-max-in-flight", { $0.storage.prefetchMaximumInFlight = 0 }),
        ("--periodic-notifier-interval-ms", { $0.storage.notifierIntervalMilliseconds = 0 }),
        ("--http-port", { $0.http.port = 70_000 }),
        ("--http-port", { $0.http.port = 5555 }),
        ("--otlp-endpoint", { $0.observability.otlpEndpoint = "http://x" }),
        ("--enable-tracing", { $0.observability.isTracingEnabled = true }),
        ("--trace-level", { $0.observability.traceLevel = .events }),
        ("--trace-output", { $0.observability.traceOutput = "x" }),
        ("--event-bus-queue-size", { $0.observability.eventQueueSize = 0 }),
        ("--prometheus-port", { $0.observability.prometheusPort = -1 }),
        ("--metrics-sample-rate", { $0.observability.metricsSampleRate = 0 }),
        ("--lookup-hash-log-max-files", { $0.observability.lookupHashLogMaximumFiles = 0 }),
        ("--gc-monitor-min-pause-ms", { $0.observability.gcMonitorMinimumPauseMilliseconds = -1 }),
        ("--extra-logging-interval", { $0.observability.extraLoggingInterval = 0 }),
        (
            "--enable-extra-logging",
            {
                $0.observability.isEnabled = false
                $0.observability.isExtraLoggingEnabled = true
            }
        ),
        ("--coordinator-url", { $0.coordinator.url = "http://c" }),
        ("--coordinator-event-reporting", { $0.coordinator.isEventReportingEnabled = true }),
        ("--coordinator-event-transport", { $0.coordinator.eventTransport = .kafka }),
        ("--coordinator-kafka-bootstrap-servers", { $0.coordinator.kafkaBootstrapServers = "k" }),
        ("--coordinator-heartbeat-interval", { $0.coordinator.heartbeatInterval = 0 }),
        ("--coordinator-blend-match-concurrency", { $0.coordinator.blendMatchConcurrency = 0 }),
    ]

    @Test(arguments: Self.damages.indices)
    func errorNamesTheSetting(_ index: Int) {
        var configuration = Self.valid
        let row = Self.damages[index]
        row.damage(&configuration)
        let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
        #expect(error?.setting == row.setting)
        #expect(error?.description.contains("'\(row.setting)': accepted is ") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test func segmentAndJournalAreNamedAfterUserAndPort() {
        var configuration = Self.valid
        #expect(configuration.segmentName(userID: 7) == "7_5555")
        #expect(configuration.journalPath(userID: 7) == "/dev/shm/lmcache_registrations_7_5555")
        configuration.requests.port = 0
        configuration.requests.instanceID = "abc"
        #expect(configuration.segmentName(userID: 7) == "7_abc")
        #expect(configuration.journalPath(userID: 7) == nil)
        configuration.requests.sharedMemoryName = "mine"
        configuration.registrationJournal = .init("/j")
        #expect(configuration.segmentName(userID: 7) == "mine")
        #expect(configuration.journalPath(userID: 7) == "/j")
        configuration.requests.isIsolatedIPC = true
        configuration.registrationJournal = .init("none")
        #expect(configuration.segmentName(userID: 7) == nil)
        #expect(configuration.journalPath(userID: 7) == nil)
    }

    @Test func poolIsRoundedDownToTheAlignment() {
        var storage = Self.valid.storage
        storage.poolGiB = 20
        #expect(storage.poolBytes == 21_474_836_480)
        storage.poolGiB = 0.1
        #expect(storage.poolBytes == 107_372_544)
        storage.poolGiB = 65_537
        #expect(storage.poolBytes == nil)
    }

    @Test func flagsWithoutEffectAreNoticed() {
        var configuration = Self.valid
        configuration.requests.maxGPUWorkers = 8
        configuration.observability.isGCMonitorEnabled = true
        #expect(configuration.notices.count == 2)
        #expect(configuration.notices.first?.hasPrefix("No effect: --max-workers, ") == true)
    }

    @Test func jsonHasTheOriginalsShape() throws {
        var configuration = Self.valid
        configuration.requests.instanceID = "id"
        let json = configuration.json
        guard case .object(let members) = json else {
            Issue.record("no object")
            return
        }
        #expect(members.map(\.0) == ["mp", "storage_manager", "observability", "http", "coordinator"])
        #expect(json["mp"]?["max_gpu_workers"] == 1)
        #expect(json["mp"]?["instance_id"] == "id")
        #expect(json["mp"]?["supported_transfer_mode"] == "auto")
        #expect(json["mp"]?["worker_reap_timeout_seconds"] == 120.0)
        let pool = json["storage_manager"]?["l1_manager_config"]
        #expect(pool?["memory_config"]?["size_in_bytes"] == 1_073_741_824)
        #expect(pool?["memory_config"]?["init_size_in_bytes"] == 1_073_741_824)
        #expect(pool?["eviction"]?["eviction_policy"] == "LRU")
        #expect(json["storage_manager"]?["l1_manager_configs"] == pool.map { .array([$0]) })
        #expect(json["observability"]?["service_instance_id"] == "id")
        #expect(json["http"]?["http_port"] == 8080)
        #expect(json["coordinator"]?["heartbeat_interval"] == 5.0)
    }
}

struct BindEndpointTests {
    @Test func readsWhatItWrites() {
        for text in [
            "tcp://0.0.0.0:5555", "tcp://*:0", "tcp://[::1]:1", "ipc:///tmp/x", "ipc://@abstract", "tcp://h:65535",
        ] {
            #expect(BindEndpoint(text)?.description == text)
        }
    }

    @Test(arguments: [
        "", "tcp://", "tcp://:1", "tcp://h", "tcp://h:", "tcp://h:x", "tcp://h:65536", "tcp://h:-1", "tcp://a b:1",
        "tcp://::1:5", "tcp://h/p:1", "ipc://", "udp://h:1", "inproc://x", "h:1",
        "ipc:///" + String(repeating: "x", count: 107),
        "ipc://a\0b",
    ])
    func refuses(_ text: String) {
        #expect(BindEndpoint(text) == nil)
    }
}

struct ConfigurationErrorTests {
    @Test func hostileTextBecomesPrintable() {
        #expect(ConfigurationError.printable("a\nb\u{7f}\u{202e}c") == "a\\u{a}b\\u{7f}\\u{202e}c")
        #expect(ConfigurationError.printable("grüße 漢字") == "grüße 漢字")
        #expect(ConfigurationError.printable(String(repeating: "x", count: 500)).count == 201)
    }

    @Test func lineSaysWhatWasGivenAndWhatIsAccepted() {
        let error = ConfigurationError(setting: "--a", given: "1", accepted: "2", reason: "why")
        #expect(error.description == "The value '1' is invalid for '--a': accepted is 2 (why)")
        #expect(
            ConfigurationError(setting: "--a", given: nil, accepted: "2").description
                == "Missing value for '--a': accepted is 2"
        )
    }
}
