// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A TCP or Unix socket whose bytes the test writes itself, to be the peer that libzmq would never be.
final class RawPeer {
    let descriptor: Int32
    private var isOpen = true

    struct Failure: Error { let text: String }

    /// Connects to a bound TCP endpoint.
    init(endpoint: String) throws {
        let port = UInt16(endpoint.split(separator: ":").last ?? "") ?? 0
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(text: "connect: errno \(errno)") }
    }

    deinit { self.close() }

    func close() {
        if self.isOpen { Glibc.close(self.descriptor) }
        self.isOpen = false
    }

    /// Closes with a reset instead of an orderly end.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        self.close()
    }

    /// Writes all bytes; false once the server has closed the connection.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    self.descriptor,
                    buffer.baseAddress?.advanced(by: offset),
                    buffer.count - offset,
                    Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    /// Reads until the server closes the connection. False when it stays open for `seconds`.
    func waitForEnd(seconds: Int = 20) -> Bool {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(self.descriptor, &buffer, buffer.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno == ECONNRESET }
        }
    }

    /// Exchanges ZMTP 3.0 greetings and READY commands as a DEALER with the NULL mechanism.
    func handshake(identity: [UInt8] = []) {
        var greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]
        greeting += Array("NULL".utf8) + [UInt8](repeating: 0, count: 16 + 32)
        var ready: [UInt8] = [5] + Array("READY".utf8)
        ready += RawPeer.property("Socket-Type", Array("DEALER".utf8))
        ready += RawPeer.property("Identity", identity)
        self.write(greeting + [0x04, UInt8(ready.count)] + ready)
        // Before the server is ready too, a message would count as a wrong command.
        let header = self.read(64 + 2)
        _ = self.read(Int(header.last ?? 0))
    }

    private func read(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        while bytes.count < count {
            let received = recv(self.descriptor, &buffer, min(buffer.count, count - bytes.count), 0)
            guard received > 0 else { return [] }
            bytes += buffer.prefix(received)
        }
        return bytes
    }

    /// Sends a message of short frames.
    @discardableResult
    func sendMessage(_ frames: [[UInt8]]) -> Bool { self.write(RawPeer.encoded(frames)) }

    /// The bytes of a message of short frames.
    static func encoded(_ frames: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, frame) in frames.enumerated() {
            bytes += [index == frames.count - 1 ? 0 : 1, UInt8(frame.count)] + frame
        }
        return bytes
    }

    private static func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
        [UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0, 0, UInt8(value.count)] + value
    }
}
