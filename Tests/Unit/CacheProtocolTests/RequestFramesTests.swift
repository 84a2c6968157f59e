// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

@Suite struct RequestFramesTests {
    @Test(arguments: [[], [[]], [[0x00]]] as [[[UInt8]]])
    func fewerThanTwoFramesAreUnreadable(frames: [[UInt8]]) {
        guard case .unreadable = RequestFrames(frames) else {
            Issue.record("read as a message")
            return
        }
    }

    @Test(
        arguments: [
            [[1], []], [[1], [], []], [[1], [], Array("nack".utf8)], [[1], [], Array("ack".utf8), []],
            [[1], [], [0xff, 0xfe]],
        ] as [[[UInt8]]]
    )
    func emptyOperationWithoutControlIsUnreadable(frames: [[UInt8]]) {
        guard case .unreadable = RequestFrames(frames) else {
            Issue.record("read as a message")
            return
        }
    }

    @Test func requestNumberIsOpaque() {
        guard case .request(let request) = RequestFrames([[0xc1, 0x00], [0x16], [0xc0]]) else {
            Issue.record("not read as a request")
            return
        }
        #expect(request.operation == .ping)
        #expect(request.reply([0xc3]) == [[0xc1, 0x00], [0x16], [0xc3]])
        #expect(request.reply(nil) == [[0xc1, 0x00], [0x16]])
    }

    @Test func spellingIsEchoed() {
        let spelled = MessagePackValue.string("ping").encoded
        guard case .request(let request) = RequestFrames([[0x01], spelled, [0xc0]]) else {
            Issue.record("not read as a request")
            return
        }
        #expect(request.operation == .ping)
        #expect(request.reply([0xc3])[1] == spelled)
    }

    @Test(
        arguments: [
            .nil, .binary([1]), .double(1), .integer(-1), .integer(0), .integer(11), .integer(34), .integer(300),
            .largeInteger(.max), .string("unknown"), .string(""), .string("LOOKUP"), .boolean(true), .array([]),
        ] as [MessagePackValue]
    )
    func anythingElseIsNoOperation(value: MessagePackValue) {
        #expect(CacheOperation.decode(frame: value.encoded) == nil)
        #expect(CacheOperation.decode(frame: value.encoded + [0x01]) == nil)
        guard case .request(let request) = RequestFrames([[0x01], value.encoded]) else {
            Issue.record("not read as a request")
            return
        }
        #expect(request.operation == nil)
    }

    @Test func widerIntegersSpellTheOperationToo() {
        #expect(CacheOperation.decode(frame: [0xcc, 0x08]) == .lookup)
        // As 0.5.3 and 0.5.4 number it.
        #expect(CacheOperation.decode(frame: [40]) == .getExperimental)
        #expect(CacheOperation.decode(frame: [0xd3, 0, 0, 0, 0, 0, 0, 0, 8]) == .lookup)
        #expect(CacheOperation.decode(frame: [0x08, 0x08]) == nil)
        #expect(CacheOperation.decode(frame: []) == nil)
    }

    @Test func refusalReachesTheClientAsItsReason() throws {
        let request = RequestFrames.Request(uid: RequestUID.encode(300), operationFrame: [0x01], payloads: [])
        let reply = try #require(ReplyFrames(request.refusal("no such device")))
        #expect(reply.uid == 300)
        #expect(reply.outcome == .refused(reason: "no such device"))
        #expect(CacheOperation.decode(frame: request.refusal("x")[1]) == nil)
        let long = ReplyFrames(request.refusal(String(repeating: "ü", count: 5000)))
        guard case .refused(let reason)? = long?.outcome else {
            Issue.record("not refused")
            return
        }
        #expect(reason.utf8.count == ProtocolLimits.reasonByteCount)
    }

    @Test func replyWithoutNumberOrOperationIsNone() {
        for frames: [[UInt8]] in [
            [], [[0x01]], [[0xc0], [0x16]], [[0x01, 0x01], [0x16]], [[0x01], [0xc0]], [[0x01], []],
        ] {
            #expect(ReplyFrames(frames) == nil)
        }
        #expect(ReplyFrames([[0x01], [0x16], [0xc3], [0x00]])?.outcome == .value(.ping, [0xc3]))
    }

    @Test func bothSpellingsOfEveryOperationAreDistinct() {
        let numbers = CacheOperation.allCases.compactMap(\.legacyID)
        #expect(Set(numbers).count == numbers.count)
        #expect(!numbers.contains(11))
        #expect(CacheOperation.allCases.count == 35)
        for operation in CacheOperation.allCases {
            #expect(CacheOperation.decode(frame: operation.encodedFrame()) == operation)
        }
    }
}
