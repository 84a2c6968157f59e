// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import NativeThreads
import Synchronization
import Telemetry
import Testing

@testable import lmcache

/// Client commands against a server that answers every connection with the same bytes.
struct ClientCommandTests {
    @Test func pingReportsOKAndFailures() throws {
        let healthy = try CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        let good = CapturedRun(["ping", "kvcache", "--url", "127.0.0.1:\(healthy.port)"])
        #expect(good.status == .success)
        #expect(good.output.contains("Status:                     OK\n"))
        #expect(
            healthy.stop().first?.hasPrefix("GET /healthcheck HTTP/1.1\r\nHost: 127.0.0.1:\(healthy.port)\r\n") == true
        )

        let failing = try CannedServer("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        let bad = CapturedRun(["ping", "engine", "--url", "http://127.0.0.1:\(failing.port)/", "--format", "json"])
        #expect(bad.status == .failure)
        #expect(bad.output.contains("\"status\": \"FAIL\""))
        #expect(bad.errorLine == "HTTP 500: Oops")
        #expect(failing.stop().first?.hasPrefix("GET /health HTTP/1.1\r\n") == true)
    }

    @Test func clearPostsAndReports() throws {
        let server = try CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}")
        let run = CapturedRun(["kvcache", "--format", "json", "clear", "--url", "http://127.0.0.1:\(server.port)"])
        #expect(run.status == .success)
        #expect(run.output.contains("\"title\": \"KV Cache Clear\""))
        let request = server.stop().first ?? ""
        #expect(request.hasPrefix("POST /cache/clear HTTP/1.1\r\n"))
        #expect(request.hasSuffix("\r\n\r\n{\"tier\":\"l1\"}"))
    }

    @Test func describeNamesWhatTheServerSaid() throws {
        let server = try CannedServer(
            "HTTP/1.1 503 X\r\nContent-Length: 19\r\n\r\n{\"error\":\"starting\"}".replacing("19", with: "20")
        )
        let run = CapturedRun(["describe", "kvcache", "--url", "127.0.0.1:\(server.port)"])
        #expect(run.status == .failure)
        #expect(run.errorLine == "Server unhealthy: starting")
        _ = server.stop()
        let text = try CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        let invalid = CapturedRun(["describe", "kvcache", "--url", "127.0.0.1:\(text.port)"])
        #expect(invalid.errorLine == "Invalid JSON response from http://127.0.0.1:\(text.port)/status")
        _ = text.stop()
    }

    @Test func reportIsWrittenToAFile() throws {
        let path = "/tmp/lmcache-report-\(getpid())"
        defer { unlink(path) }
        let server = try CannedServer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let run = CapturedRun(["ping", "kvcache", "--url", "127.0.0.1:\(server.port)", "-q", "--output", path])
        _ = server.stop()
        #expect(run.status == .success)
        #expect(run.output.isEmpty)
        #expect(access(path, R_OK) == 0)
        let refused = CapturedRun(["ping", "kvcache", "--url", "127.0.0.1:1", "--output", "/nowhere/x"])
        #expect(refused.status == .failure)
        #expect(refused.error.contains("Cannot write '/nowhere/x' of '--output'"))
    }

    @Test func noServerIsOneLine() {
        for arguments in [
            ["ping", "kvcache", "--url", "127.0.0.1:1"], ["describe", "kvcache", "--url", "127.0.0.1:1"],
            ["describe", "engine", "--url", "127.0.0.1:1"], ["kvcache", "clear", "--url", "127.0.0.1:1"],
        ] {
            let run = CapturedRun(arguments)
            #expect(run.status == .failure)
            #expect(run.errorLine?.hasPrefix("Cannot connect to http://127.0.0.1:1/") == true)
            #expect(run.errorLine?.hasSuffix(": Connection refused") == true)
        }
    }
}

/// A TCP server on a free port of 127.0.0.1.
private final class CannedServer: Sendable {
    struct Unavailable: Error {}

    let port: Int
    private let descriptor: Int32
    private let requests = Mutex<[String]>([])
    private let thread = Mutex<NativeThread?>(nil)

    init(_ answer: String) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Unavailable() }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        self.descriptor = descriptor
        let serve: @Sendable () -> Void = { [self] in self.serve(answer) }
        self.thread.withLock { $0 = NativeThread(name: "canned", body: serve) }
    }

    /// Ends the thread and returns the requests.
    func stop() -> [String] {
        shutdown(self.descriptor, Int32(SHUT_RDWR))
        self.thread.withLock { $0.take() }?.join()
        close(self.descriptor)
        return self.requests.withLock { $0 }
    }

    private func serve(_ answer: String) {
        while true {
            let client = accept(self.descriptor, nil, nil)
            guard client >= 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(client, &buffer, buffer.count, 0)
            self.requests.withLock { $0.append(String(decoding: buffer[..<max(0, count)], as: UTF8.self)) }
            let bytes = Array(answer.utf8)
            _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            close(client)
        }
    }
}
