// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack
import Testing

/// The fast path must read exactly what the general path reads.
@Suite struct IntegerArrayTests {
    private static let widths: [UInt32] = [
        0, 1, 127, 128, 255, 256, 65_535, 65_536, 2_147_483_647, 2_147_483_648, .max,
    ]

    @Test func everyPairOfWidthsIsRead() throws {
        for first in Self.widths {
            for second in Self.widths {
                for count in [1, 2, 3, 9] {
                    let values = Array(repeating: [first, second], count: count).flatMap(\.self)
                    var writer = MessagePackWriter()
                    writer.write(values)
                    var reader = MessagePackReader(writer.bytes + [0xc0])
                    #expect(try reader.readUInt32Array() == values)
                    #expect(reader.remaining == 1)
                }
            }
        }
    }

    @Test func emptyArrayIsRead() throws {
        var reader = MessagePackReader([0x90])
        #expect(try reader.readUInt32Array().isEmpty)
        #expect(reader.remaining == 0)
    }

    @Test func elementOutsideTheTypeIsRefusedWhereItLies() throws {
        let tail = Array(repeating: UInt8(0), count: 8)
        var signed = MessagePackReader([0x99, 0xce, 0x80, 0, 0, 0] + tail)
        #expect(throws: MessagePackError(offset: 1, reason: .outOfRange(expected: "-2147483648…2147483647"))) {
            try signed.readInt32Array()
        }
        #expect(signed.offset == 0)
        var negative = MessagePackReader([0x99, 0x00, 0xff] + tail)
        #expect(throws: MessagePackError(offset: 2, reason: .outOfRange(expected: "0…4294967295"))) {
            try negative.readUInt32Array()
        }
        var large = MessagePackReader([0x91, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0])
        #expect(throws: MessagePackError.self) { try large.readUInt32Array() }
    }

    @Test(arguments: [0xc0, 0xc3, 0xa0, 0x90, 0x80, 0xc1] as [UInt8])
    func elementOfAnotherKindIsRefused(tag: UInt8) {
        for padding in [0, 9] {
            var reader = MessagePackReader([0x92, 0x07, tag] + Array(repeating: UInt8(0), count: padding))
            #expect(throws: MessagePackError.self) { try reader.readUInt32Array() }
            #expect(throws: MessagePackError.self) { try reader.readInt32Array() }
            #expect(throws: MessagePackError.self) { try reader.readIntArray() }
            #expect(reader.offset == 0)
        }
    }

    @Test func negativesAreReadWhereTheTypeHasThem() throws {
        let values: [Int32] = [-1, -32, -33, -129, -40_000, .min, .max, 5, 300, 70_000]
        var writer = MessagePackWriter()
        writer.write(values)
        var reader = MessagePackReader(writer.bytes)
        #expect(try reader.readInt32Array() == values)
        let wide: [Int] = [.min, .max, 0, -1, 1 << 40]
        writer = MessagePackWriter()
        writer.write(wide)
        var second = MessagePackReader(writer.bytes)
        #expect(try second.readIntArray() == wide)
    }

    @Test func everyTruncationIsRefused() {
        var writer = MessagePackWriter()
        writer.write(Self.widths + Self.widths)
        for length in writer.bytes.indices {
            var reader = MessagePackReader(Array(writer.bytes.prefix(length)))
            #expect(throws: MessagePackError.self) { try reader.readUInt32Array() }
            #expect(reader.offset == 0)
        }
    }
}
