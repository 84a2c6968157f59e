// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import YAMLReader

/// What values a key takes.
enum KeyKind: Sendable {
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case bool
    case text
    case choice([String])
    case integers
    case numbers
    case texts
    case object

    /// As a phrase that follows "accepted is".
    var accepted: String {
        switch self {
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .bool: "true or false"
        case .text: "a text"
        case .choice(let words): words.joined(separator: ", ")
        case .integers: "a list of whole numbers"
        case .numbers: "a list of numbers"
        case .texts: "a list of texts"
        case .object: "a mapping"
        }
    }

    /// The value in its canonical form; nil when it is of another type or out of range. Null is for the caller.
    func checked(_ value: JSONValue) -> JSONValue? {
        switch (self, value) {
        case (.integer(let range), .integer(let number)): range.contains(number) ? value : nil
        case (.number(let range), .integer(let number)): range.contains(Double(number)) ? .double(Double(number)) : nil
        case (.number(let range), .double(let number)): range.contains(number) ? value : nil
        case (.bool, .bool), (.text, .string), (.object, .object): value
        case (.choice(let words), .string(let text)): words.contains(text) ? value : nil
        case (.integers, .array(let list)): Self.list(list, of: .integer(Int.min...Int.max))
        case (.numbers, .array(let list)): Self.list(list, of: .number(-1e300...1e300))
        case (.texts, .array(let list)): Self.list(list, of: .text)
        // One of a list needs no brackets.
        case (.texts, .string(let text)): Self.texts(text)
        default: nil
        }
    }

    /// The value of a text from the environment; nil when it cannot be one.
    func read(_ text: String) -> JSONValue? {
        switch self {
        case .text, .choice: self.checked(.string(text))
        case .bool:
            switch text.lowercased() {
            case "true", "1", "yes", "on": .bool(true)
            case "false", "0", "no", "off": .bool(false)
            default: nil
            }
        case .integer, .number: self.checked(YAMLScalar.plain(text))
        case .texts: Self.texts(text)
        case .integers, .numbers: self.checked(.array(Self.parts(text).map(YAMLScalar.plain)))
        case .object: (try? YAMLDocument.read(text)).flatMap(self.checked)
        }
    }

    private static func list(_ values: [JSONValue], of kind: KeyKind) -> JSONValue? {
        var checked: [JSONValue] = []
        for value in values {
            guard let one = kind.checked(value) else { return nil }
            checked.append(one)
        }
        return .array(checked)
    }

    private static func texts(_ text: String) -> JSONValue { .array(Self.parts(text).map { .string($0) }) }

    private static func parts(_ text: String) -> [String] {
        text.split(separator: ",").map { String($0.trimmingSpaces) }.filter { !$0.isEmpty }
    }
}

extension Substring {
    /// Without the spaces and tabs at both ends.
    var trimmingSpaces: Substring {
        var rest = self.drop { $0 == " " || $0 == "\t" }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
