// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why bytes are not the MessagePack that was asked for, and where.
package struct MessagePackError: Error, Equatable {
    /// Offset, from the start of the frame, of the value at fault.
    package let offset: Int
    package let reason: Reason

    /// The kinds of fault.
    package enum Reason: Equatable, Sendable {
        /// The value needs `missing` more bytes than the frame has.
        case truncated(missing: Int)
        /// An array or map claims more elements than the rest of the frame can hold.
        case countExceedsInput(count: Int, remaining: Int)
        /// A value of another kind than `expected`.
        case unexpectedKind(MessagePackKind, expected: String)
        /// A number outside the type that was asked for.
        case outOfRange(expected: String)
        /// The byte 0xc1, which the format never uses.
        case reservedByte
        case invalidUTF8
        /// Containers nested deeper than ``MessagePackReader/nestingLimit``.
        case nestedTooDeeply(limit: Int)
        /// A frame goes on after its one value.
        case trailingBytes(count: Int)
    }

    package init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }
}

extension MessagePackError: CustomStringConvertible {
    package var description: String { "\(self.reason) at byte \(self.offset)" }
}

extension MessagePackError.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let missing): "\(missing) bytes are missing"
        case .countExceedsInput(let count, let remaining): "\(count) elements claimed, \(remaining) bytes left"
        case .unexpectedKind(let found, let expected): "\(found.rawValue) given, \(expected) accepted"
        case .outOfRange(let expected): "a number outside \(expected)"
        case .reservedByte: "the reserved byte 0xc1"
        case .invalidUTF8: "a string that is not UTF-8"
        case .nestedTooDeeply(let limit): "nested deeper than \(limit)"
        case .trailingBytes(let count): "\(count) bytes after the value"
        }
    }
}
