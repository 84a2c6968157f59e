// lmcache · SPDX-License-Identifier: Apache-2.0

/// Writes MessagePack values one after another, each in its shortest form; floats always take 64 bits.
package struct MessagePackWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []

    /// Starts empty, with room for `capacity` bytes.
    package init(capacity: Int = 0) {
        self.bytes.reserveCapacity(capacity)
    }

    package mutating func writeNil() { self.bytes.append(0xc0) }

    package mutating func write(_ value: Bool) { self.bytes.append(value ? 0xc3 : 0xc2) }

    package mutating func write(_ value: Double) {
        self.bytes.append(0xcb)
        self.append(value.bitPattern, width: 8)
    }

    package mutating func write(_ value: some FixedWidthInteger) {
        if value < 0 {
            self.writeNegative(Int64(value))
        } else {
            self.writeUnsigned(UInt64(value))
        }
    }

    package mutating func write(_ value: String) {
        let count = value.utf8.count
        switch count {
        case ..<32: self.bytes.append(0xa0 | UInt8(count))
        case ..<0x100: self.head(0xd9, count, width: 1)
        case ..<0x1_0000: self.head(0xda, count, width: 2)
        default: self.head(0xdb, count, width: 4)
        }
        self.bytes.append(contentsOf: value.utf8)
    }

    package mutating func write(binary value: [UInt8]) {
        switch value.count {
        case ..<0x100: self.head(0xc4, value.count, width: 1)
        case ..<0x1_0000: self.head(0xc5, value.count, width: 2)
        default: self.head(0xc6, value.count, width: 4)
        }
        self.bytes.append(contentsOf: value)
    }

    /// Writes an array of integers, such as block ids.
    package mutating func write(_ values: [Int32]) { self.writeEach(values) }

    /// Writes an array of integers, such as a shape.
    package mutating func write(_ values: [Int]) { self.writeEach(values) }

    /// Writes an array of integers, such as token ids, of which there may be very many.
    package mutating func write(_ values: [UInt32]) {
        self.writeArrayHead(values.count)
        let encoded = [UInt8](unsafeUninitializedCapacity: Self.widest * values.count) { output, written in
            for value in values { written += Self.encode(value, into: output, at: written) }
        }
        self.bytes.append(contentsOf: encoded)
    }

    /// Writes an array of strings.
    package mutating func write(_ values: [String]) {
        self.writeArrayHead(values.count)
        for value in values { self.write(value) }
    }

    /// Opens an array; `count` values must follow.
    package mutating func writeArrayHead(_ count: Int) {
        switch count {
        case ..<16: self.bytes.append(0x90 | UInt8(count))
        case ..<0x1_0000: self.head(0xdc, count, width: 2)
        default: self.head(0xdd, count, width: 4)
        }
    }

    /// Opens a map; `count` pairs must follow.
    package mutating func writeMapHead(_ count: Int) {
        switch count {
        case ..<16: self.bytes.append(0x80 | UInt8(count))
        case ..<0x1_0000: self.head(0xde, count, width: 2)
        default: self.head(0xdf, count, width: 4)
        }
    }

    package mutating func write(extension type: Int8, data: [UInt8]) {
        switch data.count {
        case 1, 2, 4, 8, 16: self.bytes.append(0xd4 + UInt8(data.count.trailingZeroBitCount))
        case ..<0x100: self.head(0xc7, data.count, width: 1)
        case ..<0x1_0000: self.head(0xc8, data.count, width: 2)
        default: self.head(0xc9, data.count, width: 4)
        }
        self.bytes.append(UInt8(bitPattern: type))
        self.bytes.append(contentsOf: data)
    }

    /// Appends one value that is already encoded.
    package mutating func write(raw value: [UInt8]) { self.bytes.append(contentsOf: value) }

    package mutating func write(_ value: MessagePackValue) {
        switch value {
        case .nil: self.writeNil()
        case .boolean(let value): self.write(value)
        case .integer(let value): self.write(value)
        case .largeInteger(let value): self.write(value)
        case .double(let value): self.write(value)
        case .string(let value): self.write(value)
        case .binary(let value): self.write(binary: value)
        case .extension(let type, let data): self.write(extension: type, data: data)
        case .array(let values):
            self.writeArrayHead(values.count)
            for value in values { self.write(value) }
        case .map(let entries):
            self.writeMapHead(entries.count)
            for entry in entries {
                self.write(entry.key)
                self.write(entry.value)
            }
        }
    }
}

extension MessagePackWriter {
    /// Bytes of the widest form of a 32-bit number.
    private static let widest = 5

    /// Writes one number in its shortest form and returns that form's length.
    @inline(__always)
    private static func encode(_ value: UInt32, into output: UnsafeMutableBufferPointer<UInt8>, at start: Int) -> Int {
        if value >= 0x1_0000 {
            output[start] = 0xce
            output[start + 1] = UInt8(truncatingIfNeeded: value >> 24)
            output[start + 2] = UInt8(truncatingIfNeeded: value >> 16)
            output[start + 3] = UInt8(truncatingIfNeeded: value >> 8)
            output[start + 4] = UInt8(truncatingIfNeeded: value)
            return 5
        } else if value >= 0x100 {
            output[start] = 0xcd
            output[start + 1] = UInt8(truncatingIfNeeded: value >> 8)
            output[start + 2] = UInt8(truncatingIfNeeded: value)
            return 3
        } else if value >= 0x80 {
            output[start] = 0xcc
            output[start + 1] = UInt8(truncatingIfNeeded: value)
            return 2
        }
        output[start] = UInt8(truncatingIfNeeded: value)
        return 1
    }

    private mutating func writeEach(_ values: [some FixedWidthInteger]) {
        self.writeArrayHead(values.count)
        for value in values { self.write(value) }
    }

    private mutating func writeUnsigned(_ value: UInt64) {
        switch value {
        case ..<0x80: self.bytes.append(UInt8(value))
        case ..<0x100: self.head(0xcc, value, width: 1)
        case ..<0x1_0000: self.head(0xcd, value, width: 2)
        case ..<0x1_0000_0000: self.head(0xce, value, width: 4)
        default: self.head(0xcf, value, width: 8)
        }
    }

    private mutating func writeNegative(_ value: Int64) {
        switch value {
        case (-32)...: self.bytes.append(UInt8(truncatingIfNeeded: value))
        case Int64(Int8.min)...: self.head(0xd0, value, width: 1)
        case Int64(Int16.min)...: self.head(0xd1, value, width: 2)
        case Int64(Int32.min)...: self.head(0xd2, value, width: 4)
        default: self.head(0xd3, value, width: 8)
        }
    }

    private mutating func head(_ tag: UInt8, _ number: some FixedWidthInteger, width: Int) {
        self.bytes.append(tag)
        self.append(UInt64(truncatingIfNeeded: number), width: width)
    }

    private mutating func append(_ number: UInt64, width: Int) {
        for index in (0..<width).reversed() {
            self.bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }
}
