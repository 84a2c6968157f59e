// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack
import Testing

@Suite struct MessagePackValueTests {
    @Test func treeOfEveryKindSurvives() throws {
        let value = MessagePackValue.map([
            .init(.string("nil"), .nil), .init(.integer(-7), .boolean(true)), .init(.nil, .largeInteger(.max)),
            .init(.string("list"), .array([.double(1.5), .binary([1, 2]), .string("ü"), .integer(.min), .array([])])),
            .init(.string("list"), .extension(type: -3, data: [1, 2, 3])), .init(.map([]), .map([])),
        ])
        var reader = MessagePackReader(value.encoded)
        #expect(try reader.readValue() == value)
        #expect(reader.remaining == 0)
        var skipping = MessagePackReader(value.encoded)
        try skipping.skip()
        #expect(skipping.remaining == 0)
    }

    @Test func widerFormsBecomeTheShortest() throws {
        var reader = MessagePackReader([0xdd, 0, 0, 0, 1, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1])
        let value = try reader.readValue()
        #expect(value == .array([.integer(1)]))
        #expect(value.encoded == [0x91, 0x01])
    }
}
