// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A TCP socket of the loopback interface.
struct LoopbackSocket: ~Copyable {
    static let host = "127.0.0.1"
    private let descriptor: Int32

    private init() throws(BenchmarkError) {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if self.descriptor < 0 { throw .system(call: "socket", code: errno) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(self.descriptor) }

    /// A port that was free a moment ago.
    static func freePort() throws(BenchmarkError) -> UInt16 {
        let socket = try LoopbackSocket()
        guard withAddress(port: 0, { bind(socket.descriptor, $0, $1) }) == 0 else {
            throw .system(call: "bind", code: errno)
        }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket.descriptor, $0, &length) }
        }
        guard result == 0 else { throw .system(call: "getsockname", code: errno) }
        return UInt16(bigEndian: address.sin_port)
    }

    /// True when something listens on the port.
    static func accepts(port: UInt16) -> Bool {
        guard let socket = try? LoopbackSocket() else { return false }
        return withAddress(port: port) { connect(socket.descriptor, $0, $1) } == 0
    }

    /// True when the HTTP server on the port answers 200 to a GET.
    static func answersOK(port: UInt16, path: String) -> Bool {
        guard let socket = try? LoopbackSocket() else { return false }
        guard withAddress(port: port, { connect(socket.descriptor, $0, $1) }) == 0 else { return false }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(Self.host)\r\nConnection: close\r\n\r\n".utf8)
        let sent = request.withUnsafeBytes { send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == request.count else { return false }
        var reply = [UInt8](repeating: 0, count: 64)
        let received = reply.withUnsafeMutableBytes { recv(socket.descriptor, $0.baseAddress, $0.count, 0) }
        return received >= 12 && reply.starts(with: Array("HTTP/1.1 200".utf8))
    }

    private static func withAddress(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
