// lmcache · SPDX-License-Identifier: Apache-2.0

/// A URL taken apart as far as requests need it.
struct URLParts: Equatable, Sendable {
    /// `http` or `https`.
    let scheme: String
    /// Host and perhaps a port, as written.
    let host: String
    /// With a leading slash.
    let path: String
    let query: String

    var origin: String { "\(self.scheme)://\(self.host)" }

    /// Nil for anything but `http` and `https`, and where a user stands before the host.
    init?(_ text: String) {
        guard let slashes = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<slashes.lowerBound].lowercased()
        let rest = text[slashes.upperBound...].prefix { $0 != "#" }
        let host = rest.prefix { $0 != "/" && $0 != "?" }
        guard scheme == "http" || scheme == "https", !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte) else {
            return nil
        }
        let tail = rest[host.endIndex...]
        let path = tail.prefix { $0 != "?" }
        guard tail.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
        self.scheme = scheme
        self.host = String(host)
        self.path = path.isEmpty ? "/" : String(path)
        self.query = String(tail[path.endIndex...].dropFirst())
    }

    static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
