// lmcache · SPDX-License-Identifier: Apache-2.0

extension MessagePackReader {
    /// Takes an array of integers, such as token ids, with one allocation.
    package mutating func readUInt32Array() throws(MessagePackError) -> [UInt32] { try self.readIntegers() }

    /// Takes an array of integers, such as block ids, with one allocation.
    package mutating func readInt32Array() throws(MessagePackError) -> [Int32] { try self.readIntegers() }

    /// Takes an array of integers, such as a shape, with one allocation.
    package mutating func readIntArray() throws(MessagePackError) -> [Int] { try self.readIntegers() }

    @inline(__always)
    private mutating func readIntegers<Value: FixedWidthInteger>() throws(MessagePackError) -> [Value] {
        let start = self.offset
        let count = try self.readArrayCount()
        let first = self.offset
        var consumed = 0
        var values = [Value](unsafeUninitializedCapacity: count) { output, written in
            self.bytes.withUnsafeBytes { frame in
                let input = UnsafeRawBufferPointer(rebasing: frame[first..<self.end])
                (written, consumed) = Self.decodeUnsigned(input, into: output, count: count)
            }
        }
        self.offset += consumed
        // The last few, and forms that the loop leaves alone.
        do {
            while values.count < count { values.append(try self.readInteger()) }
        } catch {
            self.offset = start
            throw error
        }
        return values
    }

    /// Decodes unsigned integers of up to 32 bits until another form, the count or the last four bytes come.
    ///
    /// Branches rather than a table of widths: tokens of a text need mostly the same width, so that they predict well.
    @inline(__always)
    private static func decodeUnsigned<Value: FixedWidthInteger>(
        _ input: UnsafeRawBufferPointer,
        into output: UnsafeMutableBufferPointer<Value>,
        count: Int
    ) -> (written: Int, consumed: Int) {
        guard let bytes = input.baseAddress, let values = output.baseAddress else { return (0, 0) }
        let lastStart = input.count - 5  // the widest form
        var position = 0
        var written = 0
        while written < count, position <= lastStart {
            let tag = bytes.load(fromByteOffset: position, as: UInt8.self)
            let value: Value
            if tag == 0xcd {
                let number = bytes.loadUnaligned(fromByteOffset: position + 1, as: UInt16.self).bigEndian
                value = Value(truncatingIfNeeded: number)
                position += 3
            } else if tag < 0x80 {
                value = Value(truncatingIfNeeded: tag)
                position += 1
            } else if tag == 0xce {
                let number = bytes.loadUnaligned(fromByteOffset: position + 1, as: UInt32.self).bigEndian
                guard let fitting = Value(exactly: number) else { break }
                value = fitting
                position += 5
            } else if tag == 0xcc {
                value = Value(truncatingIfNeeded: bytes.load(fromByteOffset: position + 1, as: UInt8.self))
                position += 2
            } else {
                break
            }
            (values + written).initialize(to: value)
            written += 1
        }
        return (written, position)
    }
}
