// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit
import Testing

@testable import lmcache

/// The flags of `lmcache server`: all of LMCache 0.5.6's are taken, and those that are built arrive.
struct ServerFlagTests {
    /// Every flag of the original with a value it takes, harmless ones where there is a choice.
    static let flags: [[String]] = [
        ["--instance-id", "a"], ["--transport", "zmq"], ["--host", "0.0.0.0"], ["--port", "6000"],
        ["--chunk-size", "16"], ["--null-block-id", "-1"], ["--max-workers", "4"], ["--max-gpu-workers", "2"],
        ["--max-cpu-workers", "3"], ["--grpc-server-workers", "8"], ["--hash-algorithm", "sha256_cbor"],
        ["--engine-type", "default"], ["--supported-transfer-mode", "engine_driven"], ["--isolated-ipc"],
        ["--no-isolated-ipc"], ["--runtime-plugin-config", "{\"a\":1}"], ["--shm-name", "pool"],
        ["--script-allowed-imports", "os", "sys"], ["--no-run-script-api-enabled"], ["--separate-object-groups"],
        ["--no-separate-object-groups"], ["--worker-reap-timeout-seconds", "60"], ["--session-ttl-seconds", "60"],
        ["--worker-registration-grace-seconds", "600"], ["--enable-segmented-prefix"], ["--enable-dedup-content"],
        ["--enable-blend-reorder"], ["--kv-event-log-size", "0"], ["--p2p-lookup-timeout", "3"],
        ["--p2p-load-timeout", "3.5"], ["--p2p-transfer-engine", "mooncake_te"], ["--p2p-advertise-url="],
        ["--p2p-listen-url="], ["--l1-use-lazy"], ["--no-l1-use-lazy"], ["--l1-init-size-gb", "1"],
        ["--l1-align-bytes", "8192"], ["--no-l1-use-hugepages"], ["--gds-l1-use-direct-io"],
        ["--no-gds-l1-use-direct-io"], ["--gds-l1-backend", "cufile"], ["--l1-write-ttl-seconds", "60"],
        ["--l1-read-ttl-seconds", "60"], ["--eviction-policy", "noop"], ["--eviction-trigger-watermark", "0.9"],
        ["--eviction-ratio", "0.1"], ["--l2-store-policy", "skip_l1"], ["--l2-prefetch-policy", "retain"],
        ["--l2-prefetch-max-in-flight", "4"],
        ["--l2-prefetch-timeout", "2.5"], ["--l2-adapter", "{\"type\":\"mock\",\"max_size_gb\":1}"],
        ["--periodic-notifier-interval-ms", "10"], ["--http-host", "0.0.0.0"],
        ["--http-port", "9000"], ["--disable-observability"], ["--disable-metrics"], ["--disable-grpc-metrics"],
        ["--disable-logging"], ["--event-bus-queue-size", "5"], ["--prometheus-port", "9091"],
        ["--metrics-sample-rate", "1"], ["--lookup-hash-log-dir", "/tmp/x"],
        ["--lookup-hash-log-rotation-interval", "60"], ["--lookup-hash-log-rotation-max-size", "1024"],
        ["--lookup-hash-log-max-files", "3"], ["--enable-gc-monitor"], ["--gc-monitor-min-pause-ms", "0"],
        ["--gc-monitor-top-objects", "0"], ["--enable-extra-logging"], ["--extra-logging-interval", "5"],
        ["--coordinator-url="], ["--coordinator-advertise-ip", "10.0.0.1"], ["--coordinator-heartbeat-interval", "5"],
        ["--coordinator-event-flush-interval", "1"], ["--coordinator-l2-event-flush-interval", "1"],
        ["--coordinator-event-transport", "http"], ["--coordinator-kafka-topic", "t"],
        ["--coordinator-kafka-delivery-timeout", "1"], ["--coordinator-blend-timeout", "1"],
        ["--coordinator-blend-match-concurrency", "2"], ["--bind", "ipc:///tmp/a"], ["--log-format", "json"],
        ["--registration-journal", "none"], ["--format", "json"], ["--output", "x"], ["-q"],
    ]

    /// Flags of the original that are known, and refused whenever they are set.
    static let refused = [
        "--runtime-plugin-locations", "--run-script-api-enabled", "--enable", "--server-module", "--l1-manager",
        "--l1-use-hugepages", "--l1-devdax-path", "--gds-l1-path", "--enable-tracing",
        "--otlp-endpoint", "--trace-level", "--trace-output", "--coordinator-event-reporting",
        "--coordinator-l2-event-reporting", "--coordinator-kafka-bootstrap-servers",
    ]

    @Test func everyFlagIsTaken() throws {
        // In four lines: a parse takes long without optimisation, and some flags exclude each other.
        for line in 0..<4 {
            let flags = Self.flags.indices.filter { $0 % 4 == line }.flatMap { Self.flags[$0] }
            _ = try Self.configuration(flags)
        }
    }

    @Test func noFlagIsLeftOut() throws {
        let tree = try #require(CommandTree(LMCacheCommand.self)?.subcommands.first { $0.name == "server" })
        let tested = Self.flags.compactMap { $0.first?.split(separator: "=").first.map(String.init) }
        let known = Set(tree.flags.map(\.spelling))
        let own: Set = ["--l1-size-gb", "--help", "-h", "--version", "--quiet"]
        #expect(known == Set(tested).union(Self.refused).union(own))
    }

    @Test func defaultsAreThoseOfTheConfiguration() throws {
        var expected = ServerConfiguration()
        expected.storage.poolGiB = 1
        expected.storage.evictionPolicy = .leastRecentlyUsed
        #expect(try Self.configuration([]) == expected)
    }

    @Test func valuesArrive() throws {
        let configuration = try Self.configuration([
            "--host", "0.0.0.0", "--port=6000", "--bind", "tcp://[::1]:7000", "--bind=ipc:///tmp/s", "--chunk", "16",
            "--null-block-id", "-1", "--isolated-ipc", "--no-isolated-ipc", "--separate-object-groups",
            "--worker-reap", "0", "--session-ttl-seconds", "1e3", "--kv-event", "7", "--shm-name", "pool",
            "--http-host", "::1", "--http-port", "0", "--log-format", "json", "--registration-journal", "/tmp/j",
            "--disable-metrics", "--disable-logging", "--eviction-ratio", "0.5", "--l1-size", "2.5",
        ])
        #expect(configuration.requests.host == "0.0.0.0")
        #expect(configuration.requests.port == 6000)
        #expect(configuration.requests.additionalEndpoints == [.tcp(host: "::1", port: 7000), .ipc(path: "/tmp/s")])
        #expect(configuration.requests.chunkSize == 16)
        #expect(configuration.requests.nullBlockID == -1)
        #expect(configuration.requests.isIsolatedIPC == false)
        #expect(configuration.requests.separatesObjectGroups)
        #expect(configuration.requests.reapAfter == nil)
        #expect(configuration.requests.sessionTTLSeconds == 1000)
        #expect(configuration.requests.eventLogSize == 7)
        #expect(configuration.requests.sharedMemoryName == "pool")
        #expect(configuration.http.host == "::1")
        #expect(configuration.http.port == 0)
        #expect(configuration.observability.logFormat == .json)
        #expect(configuration.registrationJournal == .path("/tmp/j"))
        #expect(!configuration.observability.areMetricsEnabled)
        #expect(!configuration.observability.isEventLoggingEnabled)
        #expect(configuration.storage.evictionRatio == 0.5)
        #expect(configuration.storage.poolBytes == 2_684_354_560)
    }

    @Test func environmentStandsInForCoordinatorFlags() throws {
        let variables = [
            "LMCACHE_COORDINATOR_HEARTBEAT_INTERVAL": "7", "LMCACHE_COORDINATOR_EVENT_FLUSH_INTERVAL": "8",
            "LMCACHE_COORDINATOR_ADVERTISE_IP": "10.0.0.9",
        ]
        let fromEnvironment = try Self.configuration([], environment: variables).coordinator
        #expect(fromEnvironment.heartbeatInterval == 7)
        #expect(fromEnvironment.eventFlushInterval == 8)
        #expect(fromEnvironment.advertiseIP == "10.0.0.9")
        let flags = ["--coordinator-heartbeat-interval", "1", "--coordinator-l2-event-flush-interval", "2"]
        let fromFlags = try Self.configuration(flags, environment: variables).coordinator
        #expect(fromFlags.heartbeatInterval == 1)
        #expect(fromFlags.eventFlushInterval == 2)
    }

    private static func configuration(
        _ flags: [String],
        environment: [String: String] = [:]
    ) throws -> ServerConfiguration {
        let tree = try #require(CommandTree(LMCacheCommand.self))
        let needed = ["server", "--l1-size-gb", "1", "--eviction-policy", "LRU"]
        let arguments = try ArgumentRewriter.rewrite(needed + flags, for: tree)
        let command = try #require(try LMCacheCommand.parseAsRoot(arguments) as? ServerCommand)
        return try command.serverConfiguration(environment: environment)
    }
}
