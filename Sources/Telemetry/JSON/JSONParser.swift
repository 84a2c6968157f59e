// lmcache · SPDX-License-Identifier: Apache-2.0

/// Reads JSON text (RFC 8259) into a value, with limits on depth and on the number of values.
///
/// Our own because request bodies are hostile input and `JSONValue` keeps member order: a general decoder gives neither
/// the limits nor the position that error bodies carry. Of two members with one name, readers see the last.
package struct JSONParser {
    /// Where and why text is not JSON.
    package struct Failure: Error, Equatable {
        /// Byte offset.
        package let position: Int
        package let message: String
    }

    static let maximumDepth = 64
    static let maximumValues = 300_000

    private let bytes: [UInt8]
    private var position = 0
    private var valueCount = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads one document that fills `bytes`.
    package static func parse(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.failure("Extra data") }
        return value
    }

    private func failure(_ message: String) -> Failure { Failure(position: self.position, message: message) }

    private var current: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            self.position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.current == byte else { return false }
        self.position += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        guard depth < Self.maximumDepth else { throw self.failure("Nested too deeply") }
        guard self.valueCount < Self.maximumValues else { throw self.failure("Too many values") }
        self.valueCount += 1
        self.skipSpace()
        switch self.current {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "n"): return try self.word("null", .null)
        default: return try self.number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        let expected = Array(word.description.utf8)
        guard self.bytes[self.position...].starts(with: expected) else { throw self.failure("Expecting value") }
        self.position += expected.count
        return value
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        self.position += 1
        var values: [JSONValue] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            values.append(try self.value(depth: depth + 1))
            self.skipSpace()
            if self.take(UInt8(ascii: "]")) { return .array(values) }
            guard self.take(UInt8(ascii: ",")) else { throw self.failure("Expecting ',' delimiter") }
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        self.position += 1
        var members: [(String, JSONValue)] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            self.skipSpace()
            guard self.current == UInt8(ascii: "\"") else {
                throw self.failure("Expecting property name enclosed in double quotes")
            }
            let name = try self.string()
            self.skipSpace()
            guard self.take(UInt8(ascii: ":")) else { throw self.failure("Expecting ':' delimiter") }
            members.append((name, try self.value(depth: depth + 1)))
            self.skipSpace()
            if self.take(UInt8(ascii: "}")) { return .object(members) }
            guard self.take(UInt8(ascii: ",")) else { throw self.failure("Expecting ',' delimiter") }
        }
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = self.position
        _ = self.take(UInt8(ascii: "-"))
        let leading = self.current
        let digits = self.skipDigits()
        guard digits > 0, digits == 1 || leading != UInt8(ascii: "0") else {
            self.position = start
            throw self.failure("Expecting value")
        }
        var isInteger = true
        if self.take(UInt8(ascii: ".")) {
            isInteger = false
            guard self.skipDigits() > 0 else { throw self.failure("Expecting value") }
        }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            isInteger = false
            if !self.take(UInt8(ascii: "+")) { _ = self.take(UInt8(ascii: "-")) }
            guard self.skipDigits() > 0 else { throw self.failure("Expecting value") }
        }
        let text = String(decoding: self.bytes[start..<self.position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw self.failure("Number out of range") }
        return .double(value)
    }

    private mutating func skipDigits() -> Int {
        let start = self.position
        while let byte = self.current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.position += 1 }
        return self.position - start
    }

    private mutating func string() throws(Failure) -> String {
        self.position += 1
        var content: [UInt8] = []
        while let byte = self.current {
            switch byte {
            case UInt8(ascii: "\""):
                self.position += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw self.failure("Invalid UTF-8 in string")
                }
                return text
            case UInt8(ascii: "\\"):
                self.position += 1
                try self.escape(into: &content)
            case 0..<0x20: throw self.failure("Invalid control character at")
            default:
                content.append(byte)
                self.position += 1
            }
        }
        throw self.failure("Unterminated string starting at")
    }

    private mutating func escape(into content: inout [UInt8]) throws(Failure) {
        guard let byte = self.current else { throw self.failure("Unterminated string starting at") }
        self.position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"): content.append(contentsOf: String(try self.escapedScalar()).utf8)
        default: throw self.failure("Invalid \\escape")
        }
    }

    /// The scalar after `\u`; a lone surrogate is refused.
    private mutating func escapedScalar() throws(Failure) -> Unicode.Scalar {
        let first = try self.fourHexDigits()
        var code = first
        if (0xD800..<0xDC00).contains(first) {
            guard self.take(UInt8(ascii: "\\")), self.take(UInt8(ascii: "u")) else {
                throw self.failure("Invalid \\uXXXX escape")
            }
            let second = try self.fourHexDigits()
            guard (0xDC00..<0xE000).contains(second) else { throw self.failure("Invalid \\uXXXX escape") }
            code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw self.failure("Invalid \\uXXXX escape") }
        return scalar
    }

    private mutating func fourHexDigits() throws(Failure) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = self.current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw self.failure("Invalid \\uXXXX escape")
            }
            code = code << 4 | UInt32(digit)
            self.position += 1
        }
        return code
    }
}
