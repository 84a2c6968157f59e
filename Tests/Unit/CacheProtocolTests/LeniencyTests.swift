// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

/// Wire protocol §1.4: payloads declared as bare int or bool are converted.
@Suite struct LeniencyTests {
    @Test(
        arguments: [
            (.integer(12), 12), (.integer(-1), -1), (.boolean(true), 1), (.boolean(false), 0), (.double(1.0), 1),
            (.double(1.9), 1), (.double(-1.9), -1), (.string("12"), 12), (.string(" -12 "), -12),
            (.integer(.max), .max),
        ] as [(MessagePackValue, Int64)]
    )
    func integerIsConverted(value: MessagePackValue, expected: Int64) throws {
        #expect(try UnregisterRequest(payloads: [value.encoded]).instance == InstanceID(expected))
    }

    @Test(
        arguments: [
            .nil, .binary([0x31]), .string(""), .string("1.5"), .string("x"), .string("9223372036854775808"),
            .string("  "), .double(.nan), .double(.infinity), .double(1e19), .largeInteger(.max), .array([]), .map([]),
            .extension(type: 1, data: []),
        ] as [MessagePackValue]
    )
    func valueThatIsNoIntegerIsRefused(value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try UnregisterRequest(payloads: [value.encoded]) }
    }

    @Test(
        arguments: [
            (.boolean(true), true), (.boolean(false), false), (.integer(3), true), (.integer(0), false),
            (.double(0.5), true), (.double(0), false), (.string("x"), true), (.string(""), false), (.nil, false),
            (.largeInteger(.max), true),
        ] as [(MessagePackValue, Bool)]
    )
    func booleanIsConverted(value: MessagePackValue, expected: Bool) throws {
        #expect(try ClearRequest(payloads: [value.encoded]).force == expected)
    }

    @Test(arguments: [.binary([1]), .array([]), .map([])] as [MessagePackValue])
    func valueThatIsNoBooleanIsRefused(value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try ClearRequest(payloads: [value.encoded]) }
    }

    @Test func optionalIntegerOfPingIsStrict() throws {
        #expect(try PingRequest(payloads: [[0xc0]]).instance == nil)
        #expect(try PingRequest(payloads: [[0x05]]).instance == InstanceID(5))
        for value: MessagePackValue in [.boolean(true), .double(1), .string("1"), .largeInteger(.max)] {
            #expect(throws: ProtocolError.self) { try PingRequest(payloads: [value.encoded]) }
        }
    }

    @Test(arguments: [(-5.0, 0.0), (300, 300), (.infinity, 86_400), (1e300, 86_400)] as [(Double, Double)])
    func waitIsKeptWithinADay(given: Double, expected: Double) throws {
        let request = try WaitPrefetchRequest(payloads: [[0xa1, 0x61], MessagePackValue.double(given).encoded])
        #expect(request.timeoutSeconds == expected)
    }

    @Test func waitMayBeAnIntegerButNotANumberThatIsNone() throws {
        #expect(try WaitPrefetchRequest(payloads: [[0xa0], [0x05]]).timeoutSeconds == 5)
        #expect(throws: ProtocolError.self) {
            try WaitPrefetchRequest(payloads: [[0xa0], MessagePackValue.double(.nan).encoded])
        }
    }

    @Test(arguments: [(-1, 16), (0, 0), (0, 1025), (0, -1)] as [(Int64, Int64)])
    func subscriptionOutsideItsRangesIsRefused(cursor: Int64, limit: Int64) {
        let payloads: [MessagePackValue] = [.integer(1), .string("m"), .integer(cursor), .integer(limit)]
        #expect(throws: ProtocolError.self) { try SubscribeKVEventsRequest(payloads: payloads.map(\.encoded)) }
    }

    @Test(arguments: [-1, -100] as [Int64])
    func negativeSkipIsRefused(skip: Int64) {
        var payloads = RetrieveRequest(
            key: WireFixtures.key,
            instance: InstanceID(1),
            blockIDs: [[1]],
            event: [],
            skipFirstTokens: 0
        ).encodedPayloads()
        payloads[4] = MessagePackValue.integer(skip).encoded
        #expect(throws: ProtocolError.self) { try RetrieveRequest(payloads: payloads) }
    }

    @Test(
        arguments: [
            .nil, .array([.nil]), .array([.integer(1)]), .array([.array([.string("1")])]),
            .array([.array([.integer(1 << 31)])]), .array(Array(repeating: .array([]), count: 4097)),
        ] as [MessagePackValue]
    )
    func blockListsOfAnotherShapeAreRefused(value: MessagePackValue) {
        var payloads = StoreRequest(key: WireFixtures.key, instance: InstanceID(1), blockIDs: [], event: [])
            .encodedPayloads()
        payloads[2] = value.encoded
        let error = #expect(throws: ProtocolError.self) { try StoreRequest(payloads: payloads) }
        #expect(error?.field == "payload 2 block_ids")
    }
}
