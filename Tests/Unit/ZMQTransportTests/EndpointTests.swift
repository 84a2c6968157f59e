// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ZMQTransport

@Suite struct EndpointTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:5555", Endpoint.tcp(host: "127.0.0.1", port: 5_555), "tcp://127.0.0.1:5555"),
        ("localhost:5555", .tcp(host: "localhost", port: 5_555), "tcp://127.0.0.1:5555"),
        ("tcp://*:0", .tcp(host: "*", port: 0), "tcp://*:*"),
        ("tcp://a-b.example:*", .tcp(host: "a-b.example", port: 0), "tcp://a-b.example:*"),
        ("tcp://[::1]:65535", .tcp(host: "::1", port: 65_535), "tcp://[::1]:65535"),
        ("ipc:///tmp/lmcache.sock", .ipc(path: "/tmp/lmcache.sock"), "ipc:///tmp/lmcache.sock"),
        ("ipc://relative", .ipc(path: "relative"), "ipc://relative"),
    ])
    func parses(text: String, endpoint: Endpoint, libraryText: String) throws {
        let parsed = try Endpoint(parsing: text)
        #expect(parsed == endpoint)
        #expect(parsed.libraryText == libraryText)
    }

    @Test(arguments: [
        "", "tcp://", "tcp://host", "tcp://host:", "tcp://:5", "tcp://host:65536", "tcp://host:-1", "tcp://host:+5",
        "tcp://host:5x", "tcp://a b:5", "tcp://::1:5", "tcp://[]:5", "tcp://eth0;127.0.0.1:5", "udp://a:1",
        "inproc://x", "grpc://a:1", "ipc://", "ipc://*", "ipc://@name", "ipc:///tmp/\0x",
        "ipc:///" + String(repeating: "x", count: 107),
    ])
    func refuses(text: String) {
        #expect(throws: TransportError.self) { try Endpoint(parsing: text) }
    }

    @Test func theLongestPathIsAccepted() throws {
        let path = "/" + String(repeating: "x", count: 106)
        #expect(try Endpoint(parsing: "ipc://" + path) == .ipc(path: path))
    }

    @Test func namesAreLookedUpAndUnknownOnesKept() {
        #expect(HostResolution.numericAddress(of: "localhost") == "127.0.0.1")
        #expect(HostResolution.numericAddress(of: "*") == "*")
        #expect(HostResolution.numericAddress(of: "127.0.0.2") == "127.0.0.2")
        #expect(HostResolution.numericAddress(of: "::1") == "::1")
        #expect(HostResolution.numericAddress(of: "no-such-host.invalid") == "no-such-host.invalid")
    }
}
