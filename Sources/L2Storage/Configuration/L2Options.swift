// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// The members of one JSON object, read one by one; what nobody asked for is an error at the end.
package struct L2Options: Sendable {
    /// What error messages call the object, such as `--l2-adapter fs`.
    package let context: String
    private let members: [(String, JSONValue)]
    private var asked: [String] = []

    /// - Throws: For anything but an object, and for a member that occurs twice.
    package init(_ value: JSONValue, context: String) throws(L2ConfigurationError) {
        guard case .object(let members) = value else {
            throw L2ConfigurationError("\(context): accepted is a JSON object, given was \(value.serialized())")
        }
        var seen: Set<String> = []
        for (name, _) in members where !seen.insert(name).inserted {
            throw L2ConfigurationError("\(context): '\(name)' is given twice")
        }
        self.context = context
        self.members = members
    }

    /// The same members under another name in messages.
    package func renamed(_ context: String) -> L2Options {
        L2Options(context: context, members: self.members, asked: self.asked)
    }

    private init(context: String, members: [(String, JSONValue)], asked: [String]) {
        self.context = context
        self.members = members
        self.asked = asked
    }

    /// A member's value; `null` counts as absent.
    package mutating func value(_ name: String) -> JSONValue? {
        self.asked.append(name)
        guard let value = self.members.first(where: { $0.0 == name })?.1, value != .null else { return nil }
        return value
    }

    package mutating func string(_ name: String) throws(L2ConfigurationError) -> String? {
        guard let value = self.value(name) else { return nil }
        guard case .string(let text) = value else { throw self.refusal(name, value, "a string") }
        return text
    }

    package mutating func bool(_ name: String) throws(L2ConfigurationError) -> Bool? {
        guard let value = self.value(name) else { return nil }
        guard case .bool(let flag) = value else { throw self.refusal(name, value, "true or false") }
        return flag
    }

    /// A whole number within `range`.
    package mutating func integer(
        _ name: String, in range: ClosedRange<Int>
    ) throws(L2ConfigurationError) -> Int? {
        guard let value = self.value(name) else { return nil }
        guard case .integer(let number) = value, range.contains(number) else {
            throw self.refusal(name, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number within `range`.
    package mutating func number(
        _ name: String, in range: ClosedRange<Double>
    ) throws(L2ConfigurationError) -> Double? {
        guard let value = self.value(name) else { return nil }
        let number: Double? =
            switch value {
            case .integer(let whole): Double(whole)
            case .double(let real): real
            default: nil
            }
        guard let number, range.contains(number) else {
            throw self.refusal(name, value, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Gigabytes of 2^30 bytes, as a number of bytes; nil when absent.
    package mutating func gigabytes(_ name: String) throws(L2ConfigurationError) -> Int? {
        try self.number(name, in: 0...1_000_000_000).map { Int($0 * 1_073_741_824) }
    }

    /// An object inside this one.
    package mutating func object(_ name: String) throws(L2ConfigurationError) -> L2Options? {
        guard let value = self.value(name) else { return nil }
        return try L2Options(value, context: "\(self.context): \(name)")
    }

    /// - Throws: For a member that nobody asked for.
    package func finish() throws(L2ConfigurationError) {
        for (name, _) in self.members where !self.asked.contains(name) {
            let accepted = Set(self.asked).sorted()
            let hint = NearestWord.hint(for: name, among: accepted)
            throw L2ConfigurationError(
                "\(self.context): unknown key '\(name)'\(hint); accepted: \(accepted.joined(separator: ", "))")
        }
    }

    /// The error for a member with a value that is not accepted.
    package func refusal(_ name: String, _ value: JSONValue, _ accepted: String) -> L2ConfigurationError {
        L2ConfigurationError("\(self.context): '\(name)' is \(value.serialized()), accepted is \(accepted)")
    }
}
