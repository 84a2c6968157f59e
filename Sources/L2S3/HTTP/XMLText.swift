// lmcache · SPDX-License-Identifier: Apache-2.0

/// Finds elements in the flat XML that S3 services answer with. Not a parser: no namespaces, no attributes' values, and
/// an element is taken to end at the first end tag of its name.
struct XMLText: Sendable {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    private init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// The first element's content, or nil.
    func first(_ name: String) -> XMLText? { self.next(name, from: self.bytes.startIndex).map { XMLText($0.content) } }

    /// Every element's content, in order.
    func all(_ name: String) -> [XMLText] {
        var found: [XMLText] = []
        var position = self.bytes.startIndex
        while let (content, end) = self.next(name, from: position) {
            found.append(XMLText(content))
            position = end
        }
        return found
    }

    /// The content as text, with what stands for special characters put back.
    var text: String {
        var result: [UInt8] = []
        var position = self.bytes.startIndex
        while position < self.bytes.endIndex {
            let byte = self.bytes[position]
            if byte == UInt8(ascii: "&"), let end = self.bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";"))
            {
                let name = String(decoding: self.bytes[(position + 1)..<end], as: UTF8.self)
                if let character = Self.character(name) {
                    result += String(character).utf8
                    position = end + 1
                    continue
                }
            }
            result.append(byte)
            position += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A text as it stands in an element.
    static func escaped(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): result += Array("&amp;".utf8)
            case UInt8(ascii: "<"): result += Array("&lt;".utf8)
            case UInt8(ascii: ">"): result += Array("&gt;".utf8)
            case UInt8(ascii: "\""): result += Array("&quot;".utf8)
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// False for a text with characters that XML 1.0 has no way to say, or that readers change.
    static func canSay(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0xFFFE && $0.value != 0xFFFF }
    }

    private func next(_ name: String, from start: Int) -> (content: ArraySlice<UInt8>, end: Int)? {
        let (open, close) = (Array("<\(name)".utf8), Array("</\(name)>".utf8))
        var position = start
        while let begin = Self.find(open, in: self.bytes[position...]) {
            let after = begin + open.count
            guard after < self.bytes.endIndex else { return nil }
            position = after
            // `<Key>` and `<Key attribute>`, and not `<KeyCount>` or `<Key/>`.
            guard self.bytes[after] == UInt8(ascii: ">") || self.bytes[after] == UInt8(ascii: " ") else { continue }
            guard let bracket = self.bytes[after...].firstIndex(of: UInt8(ascii: ">")) else { return nil }
            guard let end = Self.find(close, in: self.bytes[(bracket + 1)...]) else { return nil }
            return (self.bytes[(bracket + 1)..<end], end + close.count)
        }
        return nil
    }

    private static func find(_ wanted: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= wanted.count else { return nil }
        var position = bytes.startIndex
        let last = bytes.endIndex - wanted.count
        while position <= last, let start = bytes[position...last].firstIndex(of: wanted[0]) {
            if bytes[start..<(start + wanted.count)].elementsEqual(wanted) { return start }
            position = start + 1
        }
        return nil
    }

    private static func character(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let digits = name.dropFirst()
            let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return value.flatMap { Unicode.Scalar($0) }
        }
    }
}
