// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit

/// Why an HTTP request got no usable answer, in one line.
struct HTTPFailure: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Base URL of a service, `http` only.
struct HTTPURL: Equatable {
    /// Without brackets.
    let host: String
    let port: Int
    /// Path in front of every request's own, without a slash at its end.
    let basePath: String

    /// Reads `http://host[:port][/path]`; the scheme may be missing, slashes at the end are dropped.
    init(_ text: String) throws(HTTPFailure) {
        let failure = HTTPFailure(
            "The value '\(ConfigurationError.printable(text))' is invalid for '--url': accepted is http://HOST:PORT"
        )
        var rest = text[...]
        if let scheme = text.firstRange(of: "://") {
            guard text[..<scheme.lowerBound].lowercased() == "http" else { throw failure }
            rest = text[scheme.upperBound...]
        }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let authority = Self.authority(rest[..<slash]), rest.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw failure
        }
        self.host = authority.host
        self.port = authority.port
        self.basePath = String(rest[slash...])
    }

    private static func authority(_ text: Substring) -> (host: String, port: Int)? {
        var host = text
        var port = 80
        let isBracketed = text.hasPrefix("[")
        if let colon = text.lastIndex(of: ":"), !isBracketed || text[..<colon].hasSuffix("]") {
            guard let number = Int(text[text.index(after: colon)...]), (1...65_535).contains(number) else { return nil }
            port = number
            host = text[..<colon]
        }
        if isBracketed {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains("@"), !host.contains("?"), !host.contains("#") else { return nil }
        return (String(host), port)
    }

    /// Host and port as in a Host header.
    var authority: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return self.port == 80 ? host : "\(host):\(self.port)"
    }

    /// The URL in normal form.
    var text: String { "http://\(self.authority)\(self.basePath)" }
}
