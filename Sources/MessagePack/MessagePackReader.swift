// lmcache · SPDX-License-Identifier: Apache-2.0

/// Reads MessagePack values one after another from a frame of untrusted bytes.
///
/// Every access is checked; nothing traps on any input, and nothing is allocated from a claimed count or length before
/// the rest of the frame is known to hold it. After an error the reader stands at the value at fault.
package struct MessagePackReader: Sendable {
    /// Deepest nesting of containers that ``skip()``, ``readRawValue()`` and ``readValue()`` follow.
    package static let nestingLimit = 64

    /// Where the next value starts, from the start of the frame.
    package internal(set) var offset: Int
    let bytes: [UInt8]
    let end: Int

    /// Reads a whole frame.
    package init(_ bytes: [UInt8]) {
        self.init(bytes, range: bytes.indices)
    }

    private init(_ bytes: [UInt8], range: Range<Int>) {
        self.bytes = bytes
        self.offset = range.lowerBound
        self.end = range.upperBound
    }

    /// Bytes not yet read.
    package var remaining: Int { self.end - self.offset }

    /// The bytes not yet read, which stay.
    package var remainingBytes: [UInt8] { Array(self.bytes[self.offset..<self.end]) }

    /// The kind of the next value, which stays.
    package func peekKind() throws(MessagePackError) -> MessagePackKind {
        guard self.offset < self.end else {
            throw MessagePackError(offset: self.offset, reason: .truncated(missing: 1))
        }
        guard let kind = MessagePackKind(firstByte: self.bytes[self.offset]) else {
            throw MessagePackError(offset: self.offset, reason: .reservedByte)
        }
        return kind
    }

    /// Throws unless everything has been read.
    package func requireEnd() throws(MessagePackError) {
        guard self.remaining == 0 else {
            throw MessagePackError(offset: self.offset, reason: .trailingBytes(count: self.remaining))
        }
    }

    // MARK: Scalars

    /// Takes a nil if the next value is one.
    package mutating func readNilIfPresent() throws(MessagePackError) -> Bool {
        guard try self.peekKind() == .nil else { return false }
        self.offset += 1
        return true
    }

    package mutating func readBoolean() throws(MessagePackError) -> Bool {
        let start = self.offset
        let head = try self.readHead()
        guard case .boolean(let value) = head else { throw self.unexpected(head, "a boolean", from: start) }
        return value
    }

    /// Takes an integer of any width that fits `Value`.
    package mutating func readInteger<Value: FixedWidthInteger>(
        as type: Value.Type = Value.self
    ) throws(MessagePackError) -> Value {
        let start = self.offset
        let head = try self.readHead()
        let value: Value?
        switch head {
        case .unsigned(let number): value = Value(exactly: number)
        case .negative(let number): value = Value(exactly: number)
        default: throw self.unexpected(head, "an integer", from: start)
        }
        guard let value else { throw self.failure(.outOfRange(expected: "\(Value.min)…\(Value.max)"), from: start) }
        return value
    }

    /// Takes a float of either width, or an integer.
    package mutating func readDouble() throws(MessagePackError) -> Double {
        let start = self.offset
        let head = try self.readHead()
        switch head {
        case .float(let value): return value
        case .unsigned(let value): return Double(value)
        case .negative(let value): return Double(value)
        default: throw self.unexpected(head, "a number", from: start)
        }
    }

    package mutating func readString() throws(MessagePackError) -> String {
        let start = self.offset
        let head = try self.readHead()
        guard case .string(let length) = head else { throw self.unexpected(head, "a string", from: start) }
        return try self.takeString(length, from: start)
    }

    /// Takes a bin value; a string is none.
    package mutating func readBinary() throws(MessagePackError) -> [UInt8] {
        let start = self.offset
        let head = try self.readHead()
        guard case .binary(let length) = head else { throw self.unexpected(head, "binary", from: start) }
        return self.takeBytes(length)
    }

    // MARK: Containers

    /// Takes an array's head.
    ///
    /// As many values follow; the frame has at least one byte for each.
    package mutating func readArrayCount() throws(MessagePackError) -> Int {
        let start = self.offset
        let head = try self.readHead()
        guard case .array(let count) = head else { throw self.unexpected(head, "an array", from: start) }
        return count
    }

    /// Takes a map's head.
    ///
    /// As many pairs follow; the frame has at least two bytes for each.
    package mutating func readMapCount() throws(MessagePackError) -> Int {
        let start = self.offset
        let head = try self.readHead()
        guard case .map(let count) = head else { throw self.unexpected(head, "a map", from: start) }
        return count
    }

    /// Takes an extension value and gives a reader of its data; offsets still count from the start of the frame.
    package mutating func readExtension() throws(MessagePackError) -> (type: Int8, data: MessagePackReader) {
        let start = self.offset
        let head = try self.readHead()
        guard case .extension(let type, let length) = head else {
            throw self.unexpected(head, "an extension", from: start)
        }
        let data = MessagePackReader(self.bytes, range: self.offset..<self.offset + length)
        self.offset += length
        return (type, data)
    }
}

// MARK: Bytes

extension MessagePackReader {
    mutating func readByte() throws(MessagePackError) -> UInt8 {
        guard self.offset < self.end else {
            throw MessagePackError(offset: self.offset, reason: .truncated(missing: 1))
        }
        self.offset += 1
        return self.bytes[self.offset - 1]
    }

    /// Takes `width` (1…8) bytes as one number.
    mutating func readBigEndian(_ width: Int, from start: Int) throws(MessagePackError) -> UInt64 {
        guard width <= self.remaining else {
            throw self.failure(.truncated(missing: width - self.remaining), from: start)
        }
        var value: UInt64 = 0
        for index in self.offset..<self.offset + width { value = value << 8 | UInt64(self.bytes[index]) }
        self.offset += width
        return value
    }

    /// - Precondition: `length` bytes remain, as ``readHead()`` has checked.
    mutating func takeBytes(_ length: Int) -> [UInt8] {
        defer { self.offset += length }
        return Array(self.bytes[self.offset..<self.offset + length])
    }

    /// - Precondition: `length` bytes remain, as ``readHead()`` has checked.
    mutating func takeString(_ length: Int, from start: Int) throws(MessagePackError) -> String {
        guard let text = String(validating: self.bytes[self.offset..<self.offset + length], as: UTF8.self) else {
            throw self.failure(.invalidUTF8, from: start)
        }
        self.offset += length
        return text
    }

    /// Steps back to a value and says what is wrong with it.
    mutating func failure(_ reason: MessagePackError.Reason, from start: Int) -> MessagePackError {
        self.offset = start
        return MessagePackError(offset: start, reason: reason)
    }

    private mutating func unexpected(_ head: MessagePackHead, _ expected: String, from start: Int) -> MessagePackError {
        self.failure(.unexpectedKind(head.kind, expected: expected), from: start)
    }
}
