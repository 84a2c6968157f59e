// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// Takes typed members out of a JSON object and gathers what does not fit.
///
/// As lenient as LMCache: whole doubles and decimal strings are integers, `"true"` and 1 are true.
struct SchemaReader {
    private(set) var violations: [SchemaViolation] = []
    private let object: JSONValue
    private let location: [JSONValue]

    /// `value` should be an object; anything else is itself a violation.
    init(_ value: JSONValue, location: [JSONValue]) {
        self.object = value
        self.location = location
        if case .object = value { return }
        self.violations = [
            SchemaViolation(
                type: "model_attributes_type",
                location: location,
                message: "Input should be a valid dictionary or object to extract fields from",
                input: value
            )
        ]
    }

    /// An integer; `fallback` when missing, nil meaning that it is required.
    mutating func integer(_ name: String, default fallback: Int?) -> Int {
        guard let value = self.member(name, isRequired: fallback == nil) else { return fallback ?? 0 }
        switch Self.integer(value) {
        case .success(let integer): return integer
        case .failure(let flaw):
            self.report(flaw.type, [.string(name)], flaw.message, value)
            return fallback ?? 0
        }
    }

    /// Integers; an empty array when missing and not required.
    mutating func integers(_ name: String, isRequired: Bool) -> [Int] {
        guard let values = self.array(name, isRequired: isRequired) else { return [] }
        var integers: [Int] = []
        integers.reserveCapacity(values.count)
        for (position, value) in values.enumerated() {
            switch Self.integer(value) {
            case .success(let integer): integers.append(integer)
            case .failure(let flaw):
                self.report(flaw.type, [.string(name), .integer(position)], flaw.message, value)
                // One is enough to refuse; a body of a million wrong values must not become a million reports.
                return []
            }
        }
        return integers
    }

    mutating func array(_ name: String, isRequired: Bool) -> [JSONValue]? {
        guard let value = self.member(name, isRequired: isRequired) else { return nil }
        if case .array(let values) = value { return values }
        self.report("list_type", [.string(name)], "Input should be a valid list", value)
        return nil
    }

    mutating func string(_ name: String, default fallback: String?) -> String {
        guard let value = self.member(name, isRequired: fallback == nil) else { return fallback ?? "" }
        if case .string(let text) = value { return text }
        self.report("string_type", [.string(name)], "Input should be a valid string", value)
        return fallback ?? ""
    }

    /// A string; nil when missing or null.
    mutating func optionalString(_ name: String) -> String? {
        guard let value = self.member(name, isRequired: false), value != .null else { return nil }
        if case .string(let text) = value { return text }
        self.report("string_type", [.string(name)], "Input should be a valid string", value)
        return nil
    }

    mutating func bool(_ name: String, default fallback: Bool) -> Bool {
        guard let value = self.member(name, isRequired: false) else { return fallback }
        if let bool = Self.bool(value) { return bool }
        self.report("bool_type", [.string(name)], "Input should be a valid boolean", value)
        return fallback
    }

    mutating func tier(_ name: String, default fallback: CacheTier) -> CacheTier {
        guard let value = self.member(name, isRequired: false) else { return fallback }
        if case .string(let text) = value, let tier = CacheTier(rawValue: text) { return tier }
        self.violations.append(Self.tierViolation(self.location + [.string(name)], value))
        return fallback
    }

    static func tierViolation(_ location: [JSONValue], _ input: JSONValue) -> SchemaViolation {
        let expected = "'l1', 'l2' or 'all'"
        return SchemaViolation(
            type: "enum",
            location: location,
            message: "Input should be \(expected)",
            input: input,
            context: ["expected": .string(expected)]
        )
    }

    private mutating func member(_ name: String, isRequired: Bool) -> JSONValue? {
        if let value = self.object[name] { return value }
        if isRequired, case .object = self.object {
            self.report("missing", [.string(name)], "Field required", self.object)
        }
        return nil
    }

    private mutating func report(_ type: String, _ path: [JSONValue], _ message: String, _ input: JSONValue) {
        self.violations.append(
            SchemaViolation(type: type, location: self.location + path, message: message, input: input)
        )
    }

    private struct Flaw: Error {
        let type: String
        let message: String
    }

    private static func integer(_ value: JSONValue) -> Result<Int, Flaw> {
        switch value {
        case .integer(let integer): return .success(integer)
        case .bool(let bool): return .success(bool ? 1 : 0)
        case .double(let double):
            if let integer = Int(exactly: double) { return .success(integer) }
            let message = "Input should be a valid integer, got a number with a fractional part"
            return .failure(Flaw(type: "int_from_float", message: message))
        case .string(let text):
            if let integer = Int(text) { return .success(integer) }
            let message = "Input should be a valid integer, unable to parse string as an integer"
            return .failure(Flaw(type: "int_parsing", message: message))
        case .array, .object, .null: return .failure(Flaw(type: "int_type", message: "Input should be a valid integer"))
        }
    }

    private static func bool(_ value: JSONValue) -> Bool? {
        switch value {
        case .bool(let bool): bool
        case .integer(0): false
        case .integer(1): true
        case .string(let text):
            switch text.lowercased() {
            case "1", "true", "t", "yes", "y", "on": true
            case "0", "false", "f", "no", "n", "off": false
            default: nil
            }
        default: nil
        }
    }
}
