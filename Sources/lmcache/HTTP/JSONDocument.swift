// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// Any JSON document, for the decoder.
///
/// Members of objects come sorted by name, numbers in names by value.
struct JSONDocument: Decodable {
    let value: JSONValue

    init(from decoder: any Decoder) throws {
        if let members = try? decoder.container(keyedBy: Name.self) {
            let names = members.allKeys.sorted {
                guard let left = Int64($0.stringValue), let right = Int64($1.stringValue) else {
                    return $0.stringValue < $1.stringValue
                }
                return left < right
            }
            self.value = .object(
                try names.map { ($0.stringValue, try members.decode(JSONDocument.self, forKey: $0).value) }
            )
        } else if var elements = try? decoder.unkeyedContainer() {
            var values: [JSONValue] = []
            while !elements.isAtEnd { values.append(try elements.decode(JSONDocument.self).value) }
            self.value = .array(values)
        } else {
            self.value = try Self.scalar(decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> JSONValue {
        if container.decodeNil() { return .null }
        if let value = try? container.decode(Bool.self) { return .bool(value) }
        if let value = try? container.decode(Int.self) { return .integer(value) }
        if let value = try? container.decode(Double.self) { return .double(value) }
        return .string(try container.decode(String.self))
    }

    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }
}

extension JSONValue {
    /// The value of a number.
    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The value of a string.
    var text: String? {
        if case .string(let value) = self { return value }
        return nil
    }
}
