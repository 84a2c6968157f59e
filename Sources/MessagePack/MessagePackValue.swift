// lmcache · SPDX-License-Identifier: Apache-2.0

/// Any MessagePack value as a tree; for tests, tools and contents that are passed on unread.
package indirect enum MessagePackValue: Equatable, Sendable {
    case `nil`
    case boolean(Bool)
    /// Every integer that fits 64 signed bits.
    case integer(Int64)
    /// Integers above `Int64.max`.
    case largeInteger(UInt64)
    case double(Double)
    case string(String)
    case binary([UInt8])
    case array([MessagePackValue])
    /// Entries in their order; keys may repeat and may be of any kind.
    case map([Entry])
    case `extension`(type: Int8, data: [UInt8])

    /// One key and its value.
    package struct Entry: Equatable, Sendable {
        package var key: MessagePackValue
        package var value: MessagePackValue

        package init(_ key: MessagePackValue, _ value: MessagePackValue) {
            self.key = key
            self.value = value
        }
    }

    /// The value in its shortest form.
    package var encoded: [UInt8] {
        var writer = MessagePackWriter()
        writer.write(self)
        return writer.bytes
    }
}

extension MessagePackReader {
    /// Takes the next value whole, whatever it is.
    package mutating func readValue() throws(MessagePackError) -> MessagePackValue {
        try self.readValue(depth: 0)
    }

    private mutating func readValue(depth: Int) throws(MessagePackError) -> MessagePackValue {
        let start = self.offset
        guard depth <= Self.nestingLimit else {
            throw MessagePackError(offset: start, reason: .nestedTooDeeply(limit: Self.nestingLimit))
        }
        switch try self.readHead() {
        case .nil: return .nil
        case .boolean(let value): return .boolean(value)
        case .negative(let value): return .integer(value)
        case .unsigned(let value): return Int64(exactly: value).map { .integer($0) } ?? .largeInteger(value)
        case .float(let value): return .double(value)
        case .string(let length): return .string(try self.takeString(length, from: start))
        case .binary(let length): return .binary(self.takeBytes(length))
        case .extension(let type, let length): return .extension(type: type, data: self.takeBytes(length))
        case .array(let count):
            var elements: [MessagePackValue] = []
            for _ in 0..<count { elements.append(try self.readValue(depth: depth + 1)) }
            return .array(elements)
        case .map(let count):
            var entries: [MessagePackValue.Entry] = []
            for _ in 0..<count {
                let key = try self.readValue(depth: depth + 1)
                entries.append(MessagePackValue.Entry(key, try self.readValue(depth: depth + 1)))
            }
            return .map(entries)
        }
    }
}
