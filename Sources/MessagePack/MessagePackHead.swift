// lmcache · SPDX-License-Identifier: Apache-2.0

/// What the first bytes of a value say: the whole of a scalar, or the length or count of what follows.
enum MessagePackHead {
    case `nil`
    case boolean(Bool)
    /// An integer that was written signed and is below zero.
    case negative(Int64)
    case unsigned(UInt64)
    case float(Double)
    case string(Int)
    case binary(Int)
    case array(Int)
    case map(Int)
    case `extension`(Int8, Int)

    var kind: MessagePackKind {
        switch self {
        case .nil: .nil
        case .boolean: .boolean
        case .negative, .unsigned: .integer
        case .float: .float
        case .string: .string
        case .binary: .binary
        case .array: .array
        case .map: .map
        case .extension: .extension
        }
    }
}

extension MessagePackReader {
    /// Takes one head.
    ///
    /// Lengths and counts in it fit the rest of the frame.
    mutating func readHead() throws(MessagePackError) -> MessagePackHead {
        let start = self.offset
        let tag = try self.readByte()
        switch tag {
        case 0x00...0x7f: return .unsigned(UInt64(tag))
        case 0x80...0x8f: return .map(try self.checkedCount(Int(tag & 0x0f), bytesEach: 2, from: start))
        case 0x90...0x9f: return .array(try self.checkedCount(Int(tag & 0x0f), bytesEach: 1, from: start))
        case 0xa0...0xbf: return .string(try self.checkedLength(Int(tag & 0x1f), from: start))
        case 0xc0: return .nil
        case 0xc2, 0xc3: return .boolean(tag == 0xc3)
        case 0xc4...0xc6: return .binary(try self.readLength(widthIndex: tag - 0xc4, from: start))
        case 0xc7...0xc9: return try self.readExtensionHead(lengthWidthIndex: tag - 0xc7, from: start)
        case 0xca: return .float(Double(Float(bitPattern: UInt32(try self.readBigEndian(4, from: start)))))
        case 0xcb: return .float(Double(bitPattern: try self.readBigEndian(8, from: start)))
        case 0xcc...0xcf: return .unsigned(try self.readBigEndian(1 << Int(tag - 0xcc), from: start))
        case 0xd0...0xd3: return try self.readSigned(1 << Int(tag - 0xd0), from: start)
        case 0xd4...0xd8: return try self.readExtension(length: 1 << Int(tag - 0xd4), from: start)
        case 0xd9...0xdb: return .string(try self.readLength(widthIndex: tag - 0xd9, from: start))
        case 0xdc, 0xdd: return .array(try self.readCount(width: tag == 0xdc ? 2 : 4, bytesEach: 1, from: start))
        case 0xde, 0xdf: return .map(try self.readCount(width: tag == 0xde ? 2 : 4, bytesEach: 2, from: start))
        case 0xe0...0xff: return .negative(Int64(Int8(bitPattern: tag)))
        default: throw self.failure(.reservedByte, from: start)
        }
    }

    private mutating func readSigned(_ width: Int, from start: Int) throws(MessagePackError) -> MessagePackHead {
        let unusedBits = 64 - 8 * width
        let value = Int64(bitPattern: try self.readBigEndian(width, from: start) << unusedBits) >> unusedBits
        return value < 0 ? .negative(value) : .unsigned(UInt64(value))
    }

    private mutating func readExtensionHead(
        lengthWidthIndex: UInt8,
        from start: Int
    ) throws(MessagePackError) -> MessagePackHead {
        let length = Int(try self.readBigEndian(1 << Int(lengthWidthIndex), from: start))
        return try self.readExtension(length: length, from: start)
    }

    private mutating func readExtension(length: Int, from start: Int) throws(MessagePackError) -> MessagePackHead {
        let type = Int8(truncatingIfNeeded: try self.readBigEndian(1, from: start))
        return .extension(type, try self.checkedLength(length, from: start))
    }

    private mutating func readLength(widthIndex: UInt8, from start: Int) throws(MessagePackError) -> Int {
        try self.checkedLength(Int(try self.readBigEndian(1 << Int(widthIndex), from: start)), from: start)
    }

    private mutating func readCount(width: Int, bytesEach: Int, from start: Int) throws(MessagePackError) -> Int {
        try self.checkedCount(Int(try self.readBigEndian(width, from: start)), bytesEach: bytesEach, from: start)
    }

    private mutating func checkedLength(_ length: Int, from start: Int) throws(MessagePackError) -> Int {
        guard length <= self.remaining else {
            throw self.failure(.truncated(missing: length - self.remaining), from: start)
        }
        return length
    }

    /// Claimed counts are at most 2³²-1, so that the product cannot overflow.
    private mutating func checkedCount(_ count: Int, bytesEach: Int, from start: Int) throws(MessagePackError) -> Int {
        guard count * bytesEach <= self.remaining else {
            throw self.failure(.countExceedsInput(count: count, remaining: self.remaining), from: start)
        }
        return count
    }
}
