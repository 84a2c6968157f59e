// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A connected TCP socket that never blocks by itself. Closed when the last reference goes.
final class TCPSocket: RESPTransport {
    let descriptor: Int32
    /// The system's SO_RCVLOWAT.
    private var awaited = 1

    /// As much as is worth a wake; the system takes less where its buffers are smaller.
    private static let mostAwaited = 256 << 10

    private init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(self.descriptor) }

    /// Connects to the first of the host's addresses that takes the connection.
    ///
    /// Looking the name up waits as long as the system's resolver does.
    static func connected(to endpoint: RESPEndpoint, wait: SocketWait) throws(RESPConnectionError) -> TCPSocket {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &found)
        guard status == 0 else {
            throw .unreachable("\(endpoint.host) has no address: \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(found) }
        var last = RESPConnectionError.unreachable("\(endpoint.host) has no address")
        var next = found
        while let address = next?.pointee {
            next = address.ai_next
            do {
                return try Self.connected(to: address, wait: wait)
            } catch {
                last = error
                if error == .timedOut { break }
            }
        }
        throw last
    }

    private static func connected(to address: addrinfo, wait: SocketWait) throws(RESPConnectionError) -> TCPSocket {
        let kind = address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.ai_family, kind, address.ai_protocol)
        guard descriptor >= 0 else { throw .unreachable(Self.words(errno)) }
        let opened = TCPSocket(adopting: descriptor)
        var on: Int32 = 1
        // Options only speed things up; a socket without them works too.
        _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        _ = setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
        if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
            guard errno == EINPROGRESS else { throw .unreachable(Self.words(errno)) }
            try wait.until(descriptor, isReadable: false, isWritable: true)
            var (code, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
            guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code == 0 else {
                throw .unreachable(Self.words(code))
            }
        }
        return opened
    }

    func read(into area: UnsafeMutableRawBufferPointer) throws(RESPConnectionError) -> RESPMove {
        while true {
            let count = recv(self.descriptor, area.baseAddress, area.count, 0)
            if count > 0 { return .moved(count) }
            if count == 0 { throw .ended("closed by the server") }
            if errno == EAGAIN { return .needsReadable }
            guard errno == EINTR else { throw .ended(Self.words(errno)) }
        }
    }

    func write(_ area: UnsafeRawBufferPointer, isMoreComing: Bool) throws(RESPConnectionError) -> RESPMove {
        let flags = Int32(MSG_NOSIGNAL) | (isMoreComing ? Int32(MSG_MORE) : 0)
        while true {
            let count = send(self.descriptor, area.baseAddress, area.count, flags)
            if count >= 0 { return .moved(count) }
            if errno == EAGAIN { return .needsWritable }
            guard errno == EINTR else { throw .ended(Self.words(errno)) }
        }
    }

    func expect(_ byteCount: Int) {
        let wanted = max(1, min(byteCount, Self.mostAwaited))
        guard wanted != self.awaited else { return }
        var value = Int32(wanted)
        if setsockopt(self.descriptor, SOL_SOCKET, SO_RCVLOWAT, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 {
            self.awaited = wanted
        }
    }

    static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}
