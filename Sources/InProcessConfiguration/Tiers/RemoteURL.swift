// lmcache · SPDX-License-Identifier: Apache-2.0

/// `scheme://[user:password@]host[:port][/path]`.
struct RemoteURL: Equatable {
    let scheme: String
    let user: String?
    let password: String?
    /// Without brackets; may be empty.
    let host: String
    let port: Int?
    /// With its leading slash; empty when there is none.
    let path: String

    /// Nil for what has no scheme, or a port that is none.
    init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        self.scheme = text[..<colon].lowercased()
        let rest = text[colon...].dropFirst(3)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        self.path = String(rest[slash...])
        var authority = rest[..<slash]
        if let at = authority.lastIndex(of: "@") {
            let credentials = authority[..<at]
            authority = authority[authority.index(after: at)...]
            let separator = credentials.firstIndex(of: ":") ?? credentials.endIndex
            self.user = String(credentials[..<separator])
            self.password = separator < credentials.endIndex ? String(credentials[separator...].dropFirst()) : nil
        } else {
            (self.user, self.password) = (nil, nil)
        }
        guard let (host, port) = Self.address(authority) else { return nil }
        (self.host, self.port) = (host, port)
    }

    private static func address(_ text: Substring) -> (host: String, port: Int?)? {
        var host = text
        var rest = Substring()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[..<end].dropFirst()
            rest = text[end...].dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            rest = text[colon...]
        }
        if rest.isEmpty { return (String(host), nil) }
        guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        return (String(host), port)
    }
}
