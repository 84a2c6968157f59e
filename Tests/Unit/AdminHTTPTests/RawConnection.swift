// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A blocking HTTP connection over a plain socket, for tests.
final class RawConnection {
    private let descriptor: Int32

    /// Nil when nothing listens on the port of 127.0.0.1.
    init?(port: Int) {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 { return nil }
    }

    deinit { close(self.descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Reads until `isComplete`, the end of the connection or 5 seconds.
    func receive(until isComplete: (String) -> Bool) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !isComplete(String(decoding: bytes, as: UTF8.self)) {
            let count = recv(self.descriptor, &buffer, buffer.count, 0)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One request with a Content-Length, and its answer with headers.
    func ask(_ method: String, _ target: String, _ body: String = "") -> String {
        self.send("\(method) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return self.receive { text in
            guard let end = text.firstRange(of: "\r\n\r\n") else { return false }
            if method == "HEAD" { return true }
            let lines = text[..<end.lowerBound].lowercased().split(separator: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
            return text[end.upperBound...].utf8.count >= length
        }
    }

    /// True when the other side closes within 5 seconds.
    func isClosedByPeer() -> Bool {
        var byte: UInt8 = 0
        return recv(self.descriptor, &byte, 1, 0) == 0
    }
}
