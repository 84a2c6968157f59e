// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import MessagePack
import Testing

@Suite struct MessageGoldenTests {
    @Test(arguments: Goldens.all(kind: "request"))
    func requestDecodesAndEncodesByteForByte(vector: GoldenVector) throws {
        guard case .request(let message) = RequestFrames(vector.frames) else {
            Issue.record("not read as a request")
            return
        }
        let operation = try #require(message.operation)
        #expect(operation.rawValue == vector.text("operation"))
        let uid = try #require(RequestUID.decode(frame: message.uid))
        #expect(try encodedAgain(operation.requestType, uid: uid, operation, message.payloads) == vector.frames)
    }

    @Test(arguments: Goldens.all(kind: "response"))
    func replyDecodesAndEncodesByteForByte(vector: GoldenVector) throws {
        let reply = try #require(ReplyFrames(vector.frames))
        let request = RequestFrames.Request(
            uid: RequestUID.encode(reply.uid),
            operationFrame: vector.frames[1],
            payloads: []
        )
        switch reply.outcome {
        case .refused(let reason): #expect(request.refusal(reason) == vector.frames)
        case .value(let operation, let frame):
            #expect(operation.rawValue == vector.text("operation"))
            #expect(request.reply(try encodedAgain(operation.replyType, frame)) == vector.frames)
        }
    }

    @Test(arguments: Goldens.all(kind: "request"))
    func truncatedRequestIsRefused(vector: GoldenVector) throws {
        let operation = try #require(CacheOperation.decode(frame: vector.frames[1]))
        let payloads = Array(vector.frames.dropFirst(2))
        for (index, frame) in payloads.enumerated() {
            for length in frame.indices {
                var shortened = payloads
                shortened[index] = Array(frame.prefix(length))
                #expect(throws: ProtocolError.self, "frame \(index) cut to \(length)") {
                    _ = try operation.requestType.init(payloads: shortened)
                }
            }
            var lengthened = payloads
            lengthened[index].append(0xc0)
            #expect(throws: ProtocolError.self, "a byte after frame \(index)") {
                _ = try operation.requestType.init(payloads: lengthened)
            }
        }
    }

    @Test(arguments: Goldens.all(kind: "request"))
    func requestWithAnotherFrameCountIsRefused(vector: GoldenVector) throws {
        let operation = try #require(CacheOperation.decode(frame: vector.frames[1]))
        let payloads = Array(vector.frames.dropFirst(2))
        #expect(throws: ProtocolError.payloadCount(given: payloads.count + 1, accepted: payloads.count)) {
            _ = try operation.requestType.init(payloads: payloads + [[0xc0]])
        }
        guard !payloads.isEmpty else { return }
        #expect(throws: ProtocolError.payloadCount(given: payloads.count - 1, accepted: payloads.count)) {
            _ = try operation.requestType.init(payloads: payloads.dropLast())
        }
    }

    @Test(arguments: Goldens.all(kind: "response"))
    func truncatedReplyIsRefused(vector: GoldenVector) throws {
        guard let operation = CacheOperation.decode(frame: vector.frames[1]), vector.frames.count == 3 else { return }
        for length in vector.frames[2].indices {
            #expect(throws: ProtocolError.self, "cut to \(length)") {
                _ = try operation.replyType.init(frame: Array(vector.frames[2].prefix(length)))
            }
        }
    }

    @Test(arguments: Goldens.all(kind: "request") + Goldens.all(kind: "response"))
    func everyFrameIsShortestMessagePack(vector: GoldenVector) throws {
        for frame in vector.frames {
            var reader = MessagePackReader(frame)
            #expect(try reader.readValue().encoded == frame)
            #expect(reader.remaining == 0)
        }
    }

    /// Each payload in turn becomes a value of every kind: decoding may refuse but must return.
    @Test(arguments: Goldens.all(kind: "request"))
    func payloadOfAnotherKindDoesNotTrap(vector: GoldenVector) throws {
        let values: [MessagePackValue] = [
            .nil, .boolean(true), .integer(-1), .integer(.max), .largeInteger(.max), .double(.nan), .double(1e300),
            .string("x"), .binary([1]), .array([.nil]), .array([]), .map([.init(.integer(1), .nil)]), .map([]),
            .extension(type: 1, data: []), .extension(type: 1, data: [0x80, 0x04, 0x95]),
        ]
        let operation = try #require(CacheOperation.decode(frame: vector.frames[1]))
        let payloads = Array(vector.frames.dropFirst(2))
        for index in payloads.indices {
            for value in values {
                var changed = payloads
                changed[index] = value.encoded
                _ = try? operation.requestType.init(payloads: changed)
            }
        }
    }
}

private func encodedAgain<Request: OperationRequest>(
    _ type: Request.Type,
    uid: UInt64,
    _ operation: CacheOperation,
    _ payloads: [[UInt8]]
) throws -> [[UInt8]] {
    RequestFrames.encode(uid: uid, operation: operation, try Request(payloads: payloads))
}

private func encodedAgain<Reply: OperationReply>(_ type: Reply.Type, _ frame: [UInt8]?) throws -> [UInt8]? {
    try Reply(frame: frame).encoded()
}
