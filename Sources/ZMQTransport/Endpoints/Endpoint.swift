// lmcache · SPDX-License-Identifier: Apache-2.0

/// Where to listen or connect, taken apart.
enum Endpoint: Equatable {
    /// `port` 0 lets the system choose. `host` is a name, a numeric address (IPv6 without brackets), or `*`.
    case tcp(host: String, port: UInt16)
    case ipc(path: String)

    /// Longest path of a socket file on Linux: 108 bytes less the terminating zero.
    static let longestPath = 107

    /// Parses `tcp://host:port`, `host:port` and `ipc:///path`.
    init(parsing text: String) throws(TransportError) {
        if text.hasPrefix("ipc://") {
            self = .ipc(path: try Endpoint.parsePath(String(text.dropFirst(6)), of: text))
        } else if text.hasPrefix("tcp://") {
            self = try Endpoint.parseAddress(text.dropFirst(6), of: text)
        } else if text.contains("://") {
            throw .invalidEndpoint(endpoint: text, reason: "only tcp:// and ipc:// are accepted")
        } else {
            self = try Endpoint.parseAddress(text[...], of: text)
        }
    }

    /// As the library takes it. `localhost` means 127.0.0.1 here, also where the system prefers ::1.
    var libraryText: String {
        switch self {
        case .ipc(let path): return "ipc://\(path)"
        case .tcp(let host, let port):
            let host = host == "localhost" ? "127.0.0.1" : host
            let portText = port == 0 ? "*" : String(port)
            return host.contains(":") ? "tcp://[\(host)]:\(portText)" : "tcp://\(host):\(portText)"
        }
    }

    var isIPv6: Bool {
        if case .tcp(let host, _) = self { return host.contains(":") }
        return false
    }

    private static func parsePath(_ path: String, of text: String) throws(TransportError) -> String {
        guard !path.isEmpty, path != "*", !path.hasPrefix("@") else {
            throw .invalidEndpoint(endpoint: text, reason: "ipc:// needs the path of a socket file")
        }
        guard path.utf8.count <= Endpoint.longestPath, !path.utf8.contains(0) else {
            throw .invalidEndpoint(
                endpoint: text,
                reason: "the path is longer than \(Endpoint.longestPath) bytes or contains a zero byte"
            )
        }
        return path
    }

    private static func parseAddress(_ address: Substring, of text: String) throws(TransportError) -> Endpoint {
        guard let colon = address.lastIndex(of: ":") else {
            throw .invalidEndpoint(endpoint: text, reason: "host:port is expected")
        }
        var host = address[..<colon]
        let portText = address[address.index(after: colon)...]
        guard let port = portText == "*" ? 0 : UInt16(portText), !portText.hasPrefix("+") else {
            throw .invalidEndpoint(endpoint: text, reason: "the port must be 0 to 65535 or *")
        }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        if isBracketed { host = host.dropFirst().dropLast() }
        let isName = host.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2e || byte == 0x2d
                || byte == 0x5f || (isBracketed && (byte == 0x3a || byte == 0x25))
        }
        guard !host.isEmpty, host == "*" || isName else {
            throw .invalidEndpoint(
                endpoint: text,
                reason: "the host must be a name, an IPv4 address, an IPv6 address in brackets, or *"
            )
        }
        return .tcp(host: String(host), port: port)
    }
}
