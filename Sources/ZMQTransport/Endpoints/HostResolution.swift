// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Looks host names up for binding, for which libzmq takes numeric addresses and interface names only.
enum HostResolution {
    /// The numeric address of `host`, IPv4 before IPv6, or `host` itself when the system does not know the name.
    static func numericAddress(of host: String) -> String {
        if host == "*" { return host }
        if host == "localhost" { return "127.0.0.1" }
        for family in [AF_INET, AF_INET6] {
            if let address = self.lookUp(host, family: family) { return address }
        }
        return host
    }

    private static func lookUp(_ host: String, family: Int32) -> String? {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(first) }
        var text = [UInt8](repeating: 0, count: Int(NI_MAXHOST))
        let result = text.withUnsafeMutableBytes { buffer in
            getnameinfo(
                first.pointee.ai_addr,
                first.pointee.ai_addrlen,
                buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                socklen_t(buffer.count),
                nil,
                0,
                NI_NUMERICHOST
            )
        }
        guard result == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
}
