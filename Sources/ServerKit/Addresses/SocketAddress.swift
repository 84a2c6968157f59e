// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A numeric IPv4 or IPv6 address with a port, resolved from a name.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets.
    package let host: String
    package let port: Int
    package let isIPv6: Bool

    private init(host: String, port: Int, isIPv6: Bool) {
        self.host = host
        self.port = port
        self.isIPv6 = isIPv6
    }

    /// Resolves a host to bind, IPv4 first; `*` and an empty host mean every IPv4 interface.
    ///
    /// - Parameter setting: The flag that gave the host, for the error.
    package init(host: String, port: Int, setting: String) throws(StartError) {
        if host == "*" || host.isEmpty {
            self.init(host: "0.0.0.0", port: port, isIPv6: false)
            return
        }
        guard !host.utf8.contains(0), let found = Self.resolve(host) else {
            throw .unusableAddress(
                setting: setting,
                given: host,
                accepted: "an address of this machine, or a name that resolves to one",
                reason: "it does not resolve"
            )
        }
        self.init(host: found.host, port: port, isIPv6: found.isIPv6)
    }

    /// The same host with another port.
    package func withPort(_ port: Int) -> SocketAddress {
        SocketAddress(host: self.host, port: port, isIPv6: self.isIPv6)
    }

    package var description: String { self.isIPv6 ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)" }

    /// Throws when somebody listens there, or the address cannot be bound.
    ///
    /// Port 0 is always free.
    package func checkFree(setting: String) throws(StartError) {
        guard self.port > 0 else { return }
        let problem = Self.bindOnce(self)
        switch problem {
        case 0: return
        case EADDRINUSE: throw .addressInUse(setting: setting, address: self.description)
        default:
            throw .unusableAddress(
                setting: setting,
                given: self.description,
                accepted: "an address of this machine that may be bound",
                reason: String(cString: strerror(problem))
            )
        }
    }

    private static func resolve(_ host: String) -> (host: String, isIPv6: Bool)? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var firstIPv6: String?
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let isNamed = getnameinfo(
                entry.pointee.ai_addr,
                entry.pointee.ai_addrlen,
                &text,
                socklen_t(text.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            if isNamed == 0 {
                let numeric = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
                if entry.pointee.ai_family == AF_INET { return (numeric, false) }
                if entry.pointee.ai_family == AF_INET6 { firstIPv6 = firstIPv6 ?? numeric }
            }
            next = entry.pointee.ai_next
        }
        return firstIPv6.map { ($0, true) }
    }

    /// Binds and listens once, as the real socket will.
    ///
    /// Returns 0 or an error number.
    private static func bindOnce(_ address: SocketAddress) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0, let entry = list else {
            return EADDRNOTAVAIL
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(entry.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 else { return errno }
        return listen(descriptor, 1) == 0 ? 0 : errno
    }
}
