// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// What a plain scalar means, as LMCache's reader of configuration files has it (YAML 1.1, without octal, binary and
/// base-60 numbers).
package enum YAMLScalar {
    /// The value of a scalar without quotes.
    package static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        default: break
        }
        let bytes = Array(text.utf8)
        let digits =
            bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes[...]
        guard let first = digits.first, Self.isDigit(first) || first == UInt8(ascii: ".") else { return .string(text) }
        if let number = Self.integer(text, digits) { return .integer(number) }
        if digits.allSatisfy(Self.isOfDecimal), digits.contains(where: Self.isDigit), let number = Double(text),
            number.isFinite, digits.contains(UInt8(ascii: ".")) || digits.contains(where: Self.isExponent)
        {
            return .double(number)
        }
        return .string(text)
    }

    private static func integer(_ text: String, _ digits: ArraySlice<UInt8>) -> Int? {
        if digits.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")]) {
            let isNegative = text.hasPrefix("-")
            return Int((isNegative ? "-" : "") + String(decoding: digits.dropFirst(2), as: UTF8.self), radix: 16)
        }
        guard digits.allSatisfy(Self.isDigit), digits.count == 1 || digits.first != UInt8(ascii: "0") else {
            return nil
        }
        return Int(text)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isExponent(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") }

    private static func isOfDecimal(_ byte: UInt8) -> Bool {
        Self.isDigit(byte) || Self.isExponent(byte)
            || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+")].contains(byte)
    }
}
