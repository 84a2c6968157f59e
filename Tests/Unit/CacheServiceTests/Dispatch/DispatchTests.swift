// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import EngineTestSupport
import KVModel
import L1Cache
import MessagePack
import Testing

@testable import CacheService

@Suite struct DispatchTests {
    private static let uid: [UInt8] = [0xCE, 1, 2, 3, 4]

    private static func spelled(_ operation: CacheOperation) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.write(operation.rawValue)
        return writer.bytes
    }

    /// Payloads that no operation takes: of a wrong type, torn, nested, gigantic by their own account, or too many.
    private static let damaged: [[[UInt8]]] = [
        [], [[]], [[0xC1]], [[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]], [[0xDF, 0x3B, 0x9A, 0xCA, 0x00]],
        [Array(repeating: 0x91, count: 4000)], [[0xC6, 0xFF, 0xFF, 0xFF, 0xFF]], [[0x93, 1]], [[0xA3, 0x61]],
        Array(repeating: [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0], count: 7), Array(repeating: [0xC0], count: 200),
        Array(repeating: [0x80], count: 4),
    ]

    /// These are served, or answered alike, whatever the payloads are.
    private static func ignoresPayloads(_ operation: CacheOperation) -> Bool {
        [.noop, .getChunkSize, .getExperimental].contains(operation)
    }

    /// Nil and a lone integer or map can be a whole request of some operations.
    private static func isRequest(_ operation: CacheOperation, _ payloads: [[UInt8]]) -> Bool {
        (try? operation.requestType.init(payloads: payloads)) != nil
    }

    @Test(arguments: CacheOperation.allCases) func undecodablePayloadsGetTheReplyOfTheTable(
        operation: CacheOperation
    ) throws {
        let script = try ServiceScript()
        defer { script.stop() }
        for payloads in Self.damaged where !Self.ignoresPayloads(operation) && !Self.isRequest(operation, payloads) {
            for frame in [operation.encodedFrame(), Self.spelled(operation)] {
                let replies = script.exchange([RequestUID.encode(5), frame] + payloads)
                try #require(replies.count == 1)
                let reply = try #require(ReplyFrames(replies[0]))
                #expect(reply.uid == 5)
                #expect(ExpectedFailure.read(operation, reply.outcome) == ExpectedFailure.of(operation))
                if case .value = reply.outcome { #expect(replies[0][1] == frame, "echoed as it came") }
            }
        }
        #expect(script.server.cache.usage().usedBytes == 0)
    }

    @Test(arguments: CacheOperation.allCases) func bothSpellingsAreServedAndEchoed(operation: CacheOperation) throws {
        let script = try ServiceScript()
        defer { script.stop() }
        for frame in [operation.encodedFrame(), Self.spelled(operation)] {
            let replies = script.exchange([Self.uid, frame])
            try #require(replies.count == 1)
            #expect(replies[0][0] == Self.uid, "the client's bytes, never decoded")
            if ExpectedFailure.of(operation) != .refusal { #expect(replies[0][1] == frame) }
        }
    }

    @Test func unknownOperationsAreRefused() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let unknown: [[UInt8]] = [
            [0x63], [0x0B], [0x00], [0xC0], [0x90], [0xA3, 0x66, 0x6F, 0x6F], [0xFF], [0xC1], [0x01, 0x01],
            [0xCF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
        for frame in unknown {
            let replies = script.exchange([RequestUID.encode(1), frame, [0xC0]])
            try #require(replies.count == 1)
            #expect(ReplyFrames(replies[0])?.outcome == .refused(reason: "unsupported operation"))
        }
    }

    @Test func messagesWithoutAnOperationGetNoReply() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        let unreadable: [[[UInt8]]] = [
            [], [[1]], [[1], []], [[1], [], [2], [3]], [[1], [], Array("stop".utf8)], [[1], [], Array("ack".utf8)],
            [[1], [], Array("cancel".utf8)],
        ]
        for message in unreadable { #expect(script.exchange(message).isEmpty) }
        #expect(script.log.warnings(containing: "unreadable").count == 1)
    }

    @Test func pingsOvertakeAndNothingElseDoes() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        for operation in CacheOperation.allCases {
            #expect(
                script.service.arrived([Self.uid, operation.encodedFrame()], from: ServiceScript.client)
                    == (operation == .ping))
            #expect(
                script.service.arrived([Self.uid, Self.spelled(operation)], from: ServiceScript.client)
                    == (operation == .ping))
        }
        #expect(!script.service.arrived([], from: ServiceScript.client))
        #expect(!script.service.arrived([Self.uid], from: ServiceScript.client))
        #expect(!script.service.arrived([Self.uid, []], from: ServiceScript.client))
    }

    @Test func complaintsAreRateLimited() throws {
        let script = try ServiceScript()
        defer { script.stop() }
        for _ in 0..<100 { _ = script.exchange([Self.uid, CacheOperation.store.encodedFrame(), [0xC1]]) }
        #expect(script.log.warnings(containing: "Refused: store").count == 1)
        _ = script.exchange([Self.uid, CacheOperation.lookup.encodedFrame(), [0xC1]])
        #expect(script.log.warnings(containing: "Refused: lookup").count == 1, "each kind has its own line")
        script.server.clock.advance(.seconds(61))
        _ = script.exchange([Self.uid, CacheOperation.store.encodedFrame(), [0xC1]])
        #expect(script.log.warnings(containing: "and 99 more of this kind").count == 1)
    }
}
