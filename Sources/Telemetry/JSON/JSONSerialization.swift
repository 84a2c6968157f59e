// lmcache · SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// The document as JSON text: compact when `indent` is nil, else one member a line, `indent` spaces for each level.
    ///
    /// Infinite and not-a-number doubles, which JSON cannot say, become `null`.
    package func serialized(indent: Int? = nil) -> String {
        var text = ""
        self.append(to: &text, indent: indent, level: 0)
        return text
    }

    /// Appends `value` as a JSON string, quoted and escaped.
    package static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) {
            for scalar in value.unicodeScalars { Self.appendEscaped(scalar, to: &text) }
        } else {
            text += value
        }
        text += "\""
    }

    private static func appendEscaped(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }

    private func append(to text: inout String, indent: Int?, level: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .double(let value): text += value.isFinite ? value.description : "null"
        case .string(let value): Self.appendQuoted(value, to: &text)
        case .array(let values):
            Self.appendList(values, "[", "]", to: &text, indent, level) { value, text in
                value.append(to: &text, indent: indent, level: level + 1)
            }
        case .object(let members):
            Self.appendList(members, "{", "}", to: &text, indent, level) { member, text in
                Self.appendQuoted(member.0, to: &text)
                text += indent == nil ? ":" : ": "
                member.1.append(to: &text, indent: indent, level: level + 1)
            }
        }
    }

    private static func appendList<Element>(
        _ elements: [Element],
        _ open: String,
        _ close: String,
        to text: inout String,
        _ indent: Int?,
        _ level: Int,
        _ appendOne: (Element, inout String) -> Void
    ) {
        text += open
        for (position, element) in elements.enumerated() {
            if position > 0 { text += "," }
            if let indent { text += "\n" + String(repeating: " ", count: indent * (level + 1)) }
            appendOne(element, &text)
        }
        if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent * level) }
        text += close
    }
}
