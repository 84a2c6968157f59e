// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit
import Logging
import Synchronization
import Testing

@testable import ServerKit

struct ServerTests {
    private var configuration: ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.storage.poolGiB = 1
        configuration.storage.evictionPolicy = .leastRecentlyUsed
        configuration.requests.host = "127.0.0.1"
        configuration.requests.port = 0
        configuration.requests.additionalEndpoints = [.ipc(path: "/tmp/lmcache-server-tests")]
        configuration.http.port = 0
        return configuration
    }

    private var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    @Test func everythingServesBeforeTheSignalAndStopsAfterIt() throws {
        let parts = RecordedParts()
        let server = try Server(configuration: self.configuration, parts: parts, log: self.silent)
        #expect(parts.events.isEmpty)
        try server.run(until: RecordedSignal(parts: parts))
        #expect(
            parts.events == [
                "engine", "requests tcp://127.0.0.1:* ipc:///tmp/lmcache-server-tests", "http 127.0.0.1:0", "signal",
                "drain", "http stops", "requests stop", "engine stops",
            ]
        )
    }

    @Test(arguments: [
        ("engine", ["engine"]), ("requests", ["engine", "requests", "engine stops"]),
        ("http", ["engine", "requests", "http", "requests stop", "engine stops"]),
    ])
    func aPartThatFailsEndsTheStart(_ failing: String, _ events: [String]) throws {
        let parts = RecordedParts(failing: failing)
        let server = try Server(configuration: self.configuration, parts: parts, log: self.silent)
        let error = #expect(throws: StartError.self) { try server.run(until: RecordedSignal(parts: parts)) }
        #expect(error == .failed(part: failing, reason: "no"))
        #expect(parts.events.map { $0.hasSuffix("stops") || $0.hasSuffix("stop") ? $0 : Self.firstWord($0) } == events)
    }

    private static func firstWord(_ text: String) -> String { String(text.prefix { $0 != " " }) }

    @Test func aBusyPortIsSeenBeforeAnythingStarts() throws {
        let listener = try Listener()
        defer { listener.close() }
        let parts = RecordedParts()
        for setting in ["--port", "--http-port", "--bind"] {
            var configuration = self.configuration
            configuration.http.host = "127.0.0.1"
            switch setting {
            case "--port": configuration.requests.port = listener.port
            case "--http-port": configuration.http.port = listener.port
            default: configuration.requests.additionalEndpoints = [.tcp(host: "127.0.0.1", port: listener.port)]
            }
            let error = #expect(throws: StartError.self) {
                try Server(configuration: configuration, parts: parts, log: self.silent)
            }
            #expect(error == .addressInUse(setting: setting, address: "127.0.0.1:\(listener.port)"))
        }
        #expect(parts.events.isEmpty)
    }
}

/// Parts that only note what is asked of them.
private final class RecordedParts: ServerParts {
    private let recorded = Mutex<[String]>([])
    private let failing: String?

    init(failing: String? = nil) { self.failing = failing }

    var events: [String] { self.recorded.withLock { $0 } }

    func record(_ event: String) { self.recorded.withLock { $0.append(event) } }

    private func begin(_ name: String, _ detail: String) throws(StartError) {
        self.record(detail.isEmpty ? name : "\(name) \(detail)")
        if name == self.failing { throw .failed(part: name, reason: "no") }
    }

    func startEngine() throws(StartError) { try self.begin("engine", "") }

    func startRequests(on endpoints: [String]) throws(StartError) -> [String] {
        try self.begin("requests", endpoints.joined(separator: " "))
        return endpoints
    }

    func startAdministration(on address: SocketAddress) throws(StartError) -> Int {
        try self.begin("http", address.description)
        return 8080
    }

    func drain(milliseconds: Int) { self.record("drain") }

    func stopAdministration() { self.record("http stops") }

    func stopRequests() { self.record("requests stop") }

    func stopEngine() { self.record("engine stops") }
}

/// A signal that comes at once.
private struct RecordedSignal: TerminationSource {
    let parts: RecordedParts

    func wait() -> String {
        self.parts.record("signal")
        return "SIGTERM"
    }
}
