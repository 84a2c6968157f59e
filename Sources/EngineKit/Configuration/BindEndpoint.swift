// lmcache · SPDX-License-Identifier: Apache-2.0

/// Where the request server listens.
package enum BindEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Host name, address or `*`, and port.
    case tcp(host: String, port: Int)
    /// Path of a Unix socket; an abstract one starts with `@`.
    case ipc(path: String)

    /// What `--bind` takes, as a phrase that follows "accepted is".
    package static let accepted = "tcp://HOST:PORT (port 0 to 65535) or ipc://PATH (at most 107 bytes)"

    /// Reads `tcp://HOST:PORT` or `ipc://PATH`; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("ipc://") {
            let path = text.dropFirst(6)
            guard path.utf8.count > 0, path.utf8.count <= 107, !path.utf8.contains(0) else { return nil }
            self = .ipc(path: String(path))
            return
        }
        guard text.hasPrefix("tcp://") else { return nil }
        let rest = text.dropFirst(6)
        guard let colon = rest.lastIndex(of: ":"), colon != rest.startIndex else { return nil }
        guard let port = Int(rest[rest.index(after: colon)...]), SettingLimits.port.contains(port) else { return nil }
        guard let host = Self.host(rest[..<colon]) else { return nil }
        self = .tcp(host: host, port: port)
    }

    /// A host without brackets; nil when it cannot be one.
    private static func host(_ text: Substring) -> String? {
        if text.hasPrefix("["), text.hasSuffix("]") { return String(text.dropFirst().dropLast()) }
        return text.utf8.contains(where: { $0 <= 32 || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") })
            ? nil : String(text)
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        case .ipc(let path): "ipc://\(path)"
        }
    }
}
