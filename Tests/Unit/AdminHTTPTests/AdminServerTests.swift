// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import Logging
import NativeThreads
import Telemetry
import Testing

/// The server on real sockets.
///
/// Blocking calls run on a thread of their own, because tests share a small pool of them.
@Suite(.serialized) struct AdminServerTests {
    private static func server(port: Int = 0, operations: FakeOperations = FakeOperations()) -> AdminServer {
        AdminServer(
            configuration: AdminServer.Configuration(port: port, maximumBodyBytes: 1000),
            operations: operations,
            registry: MetricsRegistry(),
            levels: LogLevels(initial: .info),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            _ = NativeThread(name: "blocking") { continuation.resume(returning: body()) }
        }
    }

    @Test func servesOverOneConnectionAndStopsWhileItIsOpen() async {
        await Self.onThread {
            let operations = FakeOperations()
            guard let running = try? Self.server(operations: operations).start(),
                let connection = RawConnection(port: running.port)
            else {
                Issue.record("no server")
                return
            }
            let health = connection.ask("GET", "/healthcheck")
            #expect(health.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(health.lowercased().contains("\r\ncontent-type: application/json\r\n"))
            #expect(health.hasSuffix("\r\n\r\n{\"status\":\"healthy\"}"))
            #expect(connection.ask("POST", "/cache/clear", "{\"force\":true}").hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(operations.clears == [true])
            #expect(connection.ask("HEAD", "/healthcheck").hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
            let redirect = connection.ask("GET", "/status/")
            #expect(redirect.hasPrefix("HTTP/1.1 307 Temporary Redirect\r\n"))
            #expect(redirect.lowercased().contains("\r\nlocation: /status\r\n"))
            #expect(connection.ask("GET", "/nope").hasSuffix("{\"detail\":\"Not Found\"}"))
            #expect(connection.ask("POST", "/cache/clear", String(repeating: " ", count: 1001)).contains(" 413 "))
            #expect(connection.ask("GET", "/metrics").hasPrefix("HTTP/1.1 200 OK\r\n"))
            let begin = ContinuousClock.now
            #expect(running.stop())
            #expect(ContinuousClock.now - begin < .seconds(2))
            #expect(connection.isClosedByPeer())
            #expect(RawConnection(port: running.port) == nil)
        }
    }

    @Test func malformedRequestsAreAnsweredAndTheServerGoesOn() async {
        await Self.onThread {
            guard let running = try? Self.server().start() else {
                Issue.record("no server")
                return
            }
            for text in [
                "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\u{1} HTTP/1.1\r\n\r\n", "\0\0\0\0\r\n\r\n",
            ] {
                guard let connection = RawConnection(port: running.port) else { continue }
                connection.send(text)
                let answer = connection.receive { $0.contains("\r\n\r\n") }
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.0 4"))
            }
            let chunked = RawConnection(port: running.port)
            chunked?.send("POST /cache/clear HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 { chunked?.send("190\r\n" + String(repeating: " ", count: 400) + "\r\n") }
            #expect(chunked?.receive { $0.contains("\r\n\r\n") }.contains(" 413 ") == true)
            #expect(RawConnection(port: running.port)?.ask("GET", "/").contains("LMCache HTTP API") == true)
            #expect(running.stop())
        }
    }

    @Test func aPortInUseIsToldApart() async {
        await Self.onThread {
            guard let first = try? Self.server().start() else {
                Issue.record("no server")
                return
            }
            #expect(throws: AdminServerError.addressInUse(host: "127.0.0.1", port: first.port)) {
                try Self.server(port: first.port).start()
            }
            #expect(first.stop())
        }
    }

    @Test func anAddressOfAnotherMachineIsAnErrorWithTheFlagsName() async throws {
        let server = AdminServer(
            configuration: AdminServer.Configuration(host: "192.0.2.1", port: 0),
            operations: FakeOperations(),
            registry: MetricsRegistry(),
            levels: LogLevels(initial: .info),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        do throws(AdminServerError) {
            try await server.run { _ in Issue.record("must not listen") }
            Issue.record("must fail")
        } catch {
            guard case .cannotListen = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description.contains("--http-host 192.0.2.1"))
        }
    }

    @Test func stoppedBeforeItRanItNeverServes() async throws {
        let server = Self.server()
        server.stop()
        try await server.run { _ in Issue.record("must not listen") }
    }
}
