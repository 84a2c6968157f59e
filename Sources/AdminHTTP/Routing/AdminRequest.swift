// lmcache · SPDX-License-Identifier: Apache-2.0

/// One HTTP request, taken apart.
struct AdminRequest: Sendable {
    let method: String
    /// Percent-decoded, without the query.
    let path: String
    /// Decoded; of two values with one name, readers see the last.
    let query: [(name: String, value: String)]
    /// Parts of the path that the route names.
    var parameters: [String: String] = [:]
    /// Empty unless the route reads a body.
    var body: [UInt8] = []

    /// Takes the request target as the first line gives it.
    init(method: String, target: String) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.path = PercentCoding.decoded(parts.first ?? "/", plusIsSpace: false)
        self.query = parts.count > 1 ? Self.pairs(parts[1]) : []
    }

    /// The last query value called `name`.
    func query(_ name: String) -> String? { self.query.last { $0.name == name }?.value }

    private static func pairs(_ query: Substring) -> [(name: String, value: String)] {
        query.split(separator: "&").map { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                name: PercentCoding.decoded(halves[0], plusIsSpace: true),
                value: halves.count > 1 ? PercentCoding.decoded(halves[1], plusIsSpace: true) : ""
            )
        }
    }
}

/// Percent coding of URLs (RFC 3986).
enum PercentCoding {
    /// Malformed escapes stay as they are; bytes that are not UTF-8 become U+FFFD.
    static func decoded(_ text: Substring, plusIsSpace: Bool) -> String {
        var result: [UInt8] = []
        let bytes = Array(text.utf8)
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "%"), position + 2 < bytes.count, let high = Self.digit(bytes[position + 1]),
                let low = Self.digit(bytes[position + 2])
            {
                result.append(high << 4 | low)
                position += 3
            } else {
                result.append(byte == UInt8(ascii: "+") && plusIsSpace ? 0x20 : byte)
                position += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8(truncatingIfNeeded: $0) }
    }
}
