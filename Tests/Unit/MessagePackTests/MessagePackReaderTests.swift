// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack
import Testing

@Suite struct MessagePackReaderTests {
    @Test(
        arguments: [
            [0x05], [0xcc, 5], [0xcd, 0, 5], [0xce, 0, 0, 0, 5], [0xcf, 0, 0, 0, 0, 0, 0, 0, 5], [0xd0, 5],
            [0xd1, 0, 5],
            [0xd2, 0, 0, 0, 5], [0xd3, 0, 0, 0, 0, 0, 0, 0, 5],
        ] as [[UInt8]]
    )
    func anyWidthOfAnIntegerIsRead(bytes: [UInt8]) throws {
        var reader = MessagePackReader(bytes)
        #expect(try reader.readInteger(as: UInt8.self) == 5)
        var array = MessagePackReader([0x92] + bytes + bytes)
        #expect(try array.readUInt32Array() == [5, 5])
    }

    @Test func integerOutsideTheTypeIsRefused() {
        var reader = MessagePackReader([0x91, 0xcd, 0x01, 0x00])
        #expect(throws: Never.self) { try reader.readArrayCount() }
        #expect(throws: MessagePackError(offset: 1, reason: .outOfRange(expected: "0…255"))) {
            try reader.readInteger(as: UInt8.self)
        }
        #expect(reader.offset == 1)
    }

    @Test func floatsOfBothWidthsAndIntegersAreNumbers() throws {
        var narrow = MessagePackReader([0xca, 0x3f, 0x80, 0, 0])
        #expect(try narrow.readDouble() == 1)
        var negative = MessagePackReader([0xff])
        #expect(try negative.readDouble() == -1)
        var text = MessagePackReader([0xa1, 0x31])
        #expect(throws: MessagePackError.self) { try text.readDouble() }
    }

    @Test(
        arguments: [
            ([0xda, 0x00], 1), ([0xd9, 5, 0x61], 4), ([0xa3, 0x61], 2), ([0xc4], 1),
            ([0xc6, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff),
            ([0xc7, 4, 1], 4), ([0xcb, 0, 0], 6), ([0xd8, 1], 16), ([], 1),
        ] as [([UInt8], Int)]
    )
    func shortInputNamesWhatIsMissing(bytes: [UInt8], missing: Int) {
        var reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError(offset: 0, reason: .truncated(missing: missing))) { try reader.readValue() }
        #expect(throws: MessagePackError(offset: 0, reason: .truncated(missing: missing))) { try reader.skip() }
        #expect(reader.offset == 0)
    }

    @Test(
        arguments: [
            [0xdd, 0x3b, 0x9a, 0xca, 0x00], [0xdf, 0x3b, 0x9a, 0xca, 0x00], [0xdd, 0xff, 0xff, 0xff, 0xff],
            [0xdf, 0xff, 0xff, 0xff, 0xff], [0x92, 0x01], [0x81, 0x01],
        ] as [[UInt8]]
    )
    func claimedCountBeyondTheInputIsRefusedUnallocated(bytes: [UInt8]) {
        var reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.self) { try reader.skip() }
        #expect(throws: MessagePackError.self) { try reader.readValue() }
        #expect(throws: MessagePackError.self) { try reader.readUInt32Array() }
        #expect(throws: MessagePackError.self) { try reader.readMapCount() }
        #expect(reader.offset == 0)
    }

    @Test(arguments: [0x91, 0x81] as [UInt8])
    func deepNestingIsRefused(opening: UInt8) {
        let deep = Array(repeating: opening, count: 100_000) + Array(repeating: 0xc0, count: 100_000)
        var reader = MessagePackReader(deep)
        let limit = MessagePackReader.nestingLimit
        let expected = MessagePackError(offset: limit + 1, reason: .nestedTooDeeply(limit: limit))
        #expect(throws: expected) { try reader.skip() }
        #expect(throws: expected) { try reader.readValue() }
    }

    @Test func nestingUpToTheLimitIsRead() throws {
        let nested = Array(repeating: UInt8(0x91), count: MessagePackReader.nestingLimit) + [0xc0]
        var reader = MessagePackReader(nested)
        try reader.skip()
        try reader.requireEnd()
        var second = MessagePackReader(nested)
        #expect(try second.readValue().encoded == nested)
    }

    @Test func reservedByteAndBadTextAreRefused() {
        var reserved = MessagePackReader([0xc1])
        #expect(throws: MessagePackError(offset: 0, reason: .reservedByte)) { try reserved.peekKind() }
        #expect(throws: MessagePackError(offset: 0, reason: .reservedByte)) { try reserved.skip() }
        for text: [UInt8] in [[0xa1, 0xff], [0xa2, 0xc0, 0x80], [0xa3, 0xed, 0xa0, 0x80], [0xa1, 0xc3]] {
            var reader = MessagePackReader(text)
            #expect(throws: MessagePackError(offset: 0, reason: .invalidUTF8)) { try reader.readString() }
        }
    }

    @Test func stringsAndBinariesAreNotExchanged() {
        var text = MessagePackReader([0xa1, 0x61])
        #expect(
            throws: MessagePackError(offset: 0, reason: .unexpectedKind(.string, expected: "binary"))
        ) { try text.readBinary() }
        var binary = MessagePackReader([0xc4, 1, 0x61])
        #expect(
            throws: MessagePackError(offset: 0, reason: .unexpectedKind(.binary, expected: "a string"))
        ) { try binary.readString() }
    }

    @Test func trailingBytesAreNamed() throws {
        var reader = MessagePackReader([0xc0, 0xc0, 0xc0])
        #expect(try reader.readNilIfPresent())
        #expect(throws: MessagePackError(offset: 1, reason: .trailingBytes(count: 2))) { try reader.requireEnd() }
        #expect(
            MessagePackError(offset: 1, reason: .trailingBytes(count: 2)).description
                == "2 bytes after the value at byte 1"
        )
    }

    @Test func everyFirstByteHasTheKindThatIsRead() {
        for byte in UInt8.min...UInt8.max {
            // Zeros make every width complete, apart from counts and lengths, which are 0 or fixed.
            var reader = MessagePackReader([byte] + Array(repeating: UInt8(0), count: 64))
            guard let kind = MessagePackKind(firstByte: byte) else {
                #expect(byte == 0xc1)
                continue
            }
            let value = try? reader.readValue()
            switch (kind, value) {
            case (.nil, .nil?), (.boolean, .boolean?), (.integer, .integer?), (.float, .double?), (.string, .string?),
                (.binary, .binary?), (.array, .array?), (.map, .map?), (.extension, .extension?):
                break
            default: Issue.record("0x\(String(byte, radix: 16)) is \(kind), read as \(String(describing: value))")
            }
        }
    }

    @Test func extensionReaderStaysInsideItsData() throws {
        var reader = MessagePackReader([0xd4, 1, 0xcd, 0x01, 0x02])
        var (_, data) = try reader.readExtension()
        #expect(throws: MessagePackError(offset: 2, reason: .truncated(missing: 2))) {
            try data.readInteger(as: Int.self)
        }
        #expect(reader.offset == 3)
    }

    @Test func rawValueIsTheBytesOfOneValue() throws {
        var reader = MessagePackReader([0x93, 0x82, 0x01, 0x02, 0xa1, 0x61, 0x91, 0xc0, 0x05, 0x06])
        #expect(try reader.readArrayCount() == 3)
        #expect(try reader.readRawValue() == [0x82, 0x01, 0x02, 0xa1, 0x61, 0x91, 0xc0])
        #expect(try reader.readInteger(as: Int.self) == 5)
    }
}
