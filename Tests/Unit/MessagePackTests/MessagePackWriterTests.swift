// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack
import Testing

@Suite struct MessagePackWriterTests {
    @Test(
        arguments: [
            (0, [0x00]), (127, [0x7f]), (128, [0xcc, 0x80]), (255, [0xcc, 0xff]), (256, [0xcd, 0x01, 0x00]),
            (65_535, [0xcd, 0xff, 0xff]), (65_536, [0xce, 0, 1, 0, 0]),
            (4_294_967_295, [0xce, 0xff, 0xff, 0xff, 0xff]),
            (4_294_967_296, [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]), (-1, [0xff]), (-32, [0xe0]), (-33, [0xd0, 0xdf]),
            (-128, [0xd0, 0x80]), (-129, [0xd1, 0xff, 0x7f]), (-32_768, [0xd1, 0x80, 0x00]),
            (-32_769, [0xd2, 0xff, 0xff, 0x7f, 0xff]), (-2_147_483_648, [0xd2, 0x80, 0, 0, 0]),
            (-2_147_483_649, [0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
        ] as [(Int64, [UInt8])]
    )
    func integerTakesItsShortestForm(value: Int64, expected: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.write(value)
        #expect(writer.bytes == expected)
        var reader = MessagePackReader(expected)
        #expect(try reader.readInteger(as: Int64.self) == value)
        try reader.requireEnd()
    }

    @Test func extremeIntegersSurvive() throws {
        for value in [UInt64.max, UInt64(Int64.max) + 1] {
            var writer = MessagePackWriter()
            writer.write(value)
            var reader = MessagePackReader(writer.bytes)
            #expect(try reader.readInteger(as: UInt64.self) == value)
        }
        var writer = MessagePackWriter()
        writer.write(Int64.min)
        var reader = MessagePackReader(writer.bytes)
        #expect(try reader.readInteger(as: Int64.self) == Int64.min)
    }

    @Test(
        arguments: [
            (0, [0xa0]), (31, [0xbf]), (32, [0xd9, 32]), (255, [0xd9, 0xff]), (256, [0xda, 1, 0]),
            (65_535, [0xda, 0xff, 0xff]), (65_536, [0xdb, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])]
    )
    func stringTakesItsShortestHead(length: Int, head: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.write(String(repeating: "x", count: length))
        #expect(Array(writer.bytes.prefix(head.count)) == head)
        var reader = MessagePackReader(writer.bytes)
        #expect(try reader.readString().utf8.count == length)
    }

    @Test(
        arguments: [
            (0, [0xc4, 0]), (255, [0xc4, 0xff]), (256, [0xc5, 1, 0]), (65_535, [0xc5, 0xff, 0xff]),
            (65_536, [0xc6, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])]
    )
    func binaryTakesItsShortestHead(length: Int, head: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.write(binary: Array(repeating: 7, count: length))
        #expect(Array(writer.bytes.prefix(head.count)) == head)
        var reader = MessagePackReader(writer.bytes)
        #expect(try reader.readBinary().count == length)
    }

    @Test(
        arguments: [
            (0, [0xc7, 0, 5]), (1, [0xd4, 5]), (2, [0xd5, 5]), (3, [0xc7, 3, 5]), (4, [0xd6, 5]), (8, [0xd7, 5]),
            (16, [0xd8, 5]), (17, [0xc7, 17, 5]), (256, [0xc8, 1, 0, 5]), (65_536, [0xc9, 0, 1, 0, 0, 5]),
        ] as [(Int, [UInt8])]
    )
    func extensionTakesItsShortestHead(length: Int, head: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.write(extension: 5, data: Array(repeating: 7, count: length))
        #expect(Array(writer.bytes.prefix(head.count)) == head)
        var reader = MessagePackReader(writer.bytes)
        let (type, data) = try reader.readExtension()
        #expect(type == 5)
        #expect(data.remaining == length)
        try reader.requireEnd()
    }

    @Test(
        arguments: [
            (0, [0x90], [0x80]), (15, [0x9f], [0x8f]), (16, [0xdc, 0, 16], [0xde, 0, 16]),
            (65_535, [0xdc, 0xff, 0xff], [0xde, 0xff, 0xff]), (65_536, [0xdd, 0, 1, 0, 0], [0xdf, 0, 1, 0, 0]),
        ] as [(Int, [UInt8], [UInt8])]
    )
    func containerTakesItsShortestHead(count: Int, array: [UInt8], map: [UInt8]) {
        var writer = MessagePackWriter()
        writer.writeArrayHead(count)
        #expect(writer.bytes == array)
        writer = MessagePackWriter()
        writer.writeMapHead(count)
        #expect(writer.bytes == map)
    }

    @Test func floatTakes64Bits() {
        var writer = MessagePackWriter()
        writer.write(300.0)
        #expect(writer.bytes == [0xcb, 0x40, 0x72, 0xc0, 0, 0, 0, 0, 0])
    }
}
