// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A connected TCP socket with deadlines, for one thread.
struct ClientSocket {
    private let descriptor: Int32

    /// Connects to the first address of the host that answers.
    init(host: String, port: Int, deadline: ContinuousClock.Instant) throws(HTTPFailure) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else { throw HTTPFailure(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var problem: Int32 = EHOSTUNREACH
        var next = list
        while let entry = next {
            let descriptor = socket(
                entry.pointee.ai_family,
                Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
                0
            )
            if descriptor >= 0 {
                problem = Self.connect(descriptor, entry.pointee, deadline)
                if problem == 0 {
                    self.descriptor = descriptor
                    return
                }
                Glibc.close(descriptor)
            }
            next = entry.pointee.ai_next
        }
        throw HTTPFailure(String(cString: strerror(problem)))
    }

    /// Writes all of `text`.
    func write(_ text: String, deadline: ContinuousClock.Instant) throws(HTTPFailure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                try self.waitIfBlocked(POLLOUT, deadline)
            }
        }
    }

    /// Appends what has arrived, waiting for something.
    ///
    /// Returns false at the end of the stream.
    func read(into bytes: inout [UInt8], deadline: ContinuousClock.Instant) throws(HTTPFailure) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(self.descriptor, &buffer, buffer.count, 0)
            if count > 0 { bytes += buffer[..<count] }
            if count >= 0 { return count > 0 }
            try self.waitIfBlocked(POLLIN, deadline)
        }
    }

    func close() { Glibc.close(self.descriptor) }

    private func waitIfBlocked(_ events: Int32, _ deadline: ContinuousClock.Instant) throws(HTTPFailure) {
        let problem = errno
        if problem == EINTR { return }
        guard problem == EAGAIN || problem == EWOULDBLOCK else {
            throw HTTPFailure(String(cString: strerror(problem)))
        }
        guard Self.wait(self.descriptor, events, deadline) else { throw HTTPFailure("timed out") }
    }

    /// Returns 0 or an error number.
    private static func connect(
        _ descriptor: Int32,
        _ address: addrinfo,
        _ deadline: ContinuousClock.Instant
    ) -> Int32 {
        if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return 0 }
        guard errno == EINPROGRESS else { return errno }
        guard Self.wait(descriptor, POLLOUT, deadline) else { return ETIMEDOUT }
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &length) == 0 ? problem : errno
    }

    /// False when the deadline came first.
    private static func wait(_ descriptor: Int32, _ events: Int32, _ deadline: ContinuousClock.Instant) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
        while true {
            let left = (deadline - ContinuousClock.now) / .milliseconds(1)
            if left <= 0 { return false }
            let result = poll(&entry, 1, Int32(min(left.rounded(.up), 60_000)))
            if result > 0 { return true }
            if result < 0, errno != EINTR { return true }
        }
    }
}
