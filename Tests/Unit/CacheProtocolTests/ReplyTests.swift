// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

@Suite struct ReplyTests {
    @Test func repliesForRefusalsAreTheDocumentedBytes() {
        #expect(TransferReply.failed.encoded() == [0x92, 0xc4, 0x00, 0xc2])
        #expect(OptionalIntReply(0).encoded() == [0x00])
        #expect(OptionalIntReply(nil).encoded() == nil)
        #expect(EmptyReply().encoded() == nil)
        #expect(BoolReply(false).encoded() == [0xc2])
        #expect(StringListReply([]).encoded() == [0x90])
        #expect(KVEventReply(nil).encoded() == nil)
        #expect(ServerModuleReply.unknown(method: "m").error == "unknown server module method: m")
    }

    @Test func prepareRepliesTellNothingFromInline() throws {
        let nothing = try PrepareStoreReply(frame: PrepareStoreReply.nothing.encoded())
        #expect(nothing.slots == [])
        let inline = try PrepareStoreReply(frame: PrepareStoreReply(slots: nil).encoded())
        #expect(inline.slots == nil)
        let miss = try PrepareRetrieveReply(frame: PrepareRetrieveReply.miss.encoded())
        #expect(miss == .miss)
    }

    @Test func slotsAndChunksMustPair() {
        let slot = PoolSlot(offset: 0, length: 96, shape: [2, 2, 4, 3], elementType: .float16)
        #expect(throws: ProtocolError.self) {
            try PrepareStoreReply(frame: PrepareStoreReply(slots: [slot], chunkIndices: []).encoded())
        }
    }

    @Test(arguments: CacheOperation.allCases)
    func replyOfAnotherKindIsRefusedOrRead(operation: CacheOperation) {
        let values: [MessagePackValue] = [
            .nil, .boolean(true), .integer(-1), .largeInteger(.max), .double(1), .string("x"), .binary([1]),
            .array([.nil, .nil]), .map([.init(.string("context"), .array([]))]), .extension(type: 1, data: []),
        ]
        for value in values { _ = try? operation.replyType.init(frame: value.encoded) }
        #expect(throws: ProtocolError.self) { _ = try operation.replyType.init(frame: [0xc1]) }
        #expect(throws: ProtocolError.self) { _ = try operation.replyType.init(frame: [0xdd, 0x3b, 0x9a, 0xca, 0x00]) }
    }

    @Test func valueThatIsRequiredMayNotBeAbsent() {
        #expect(throws: ProtocolError.missing(field: "reply")) { try BoolReply(frame: nil) }
        #expect(throws: ProtocolError.missing(field: "reply")) { try TransferReply(frame: nil) }
        #expect(throws: ProtocolError.self) { try EmptyReply(frame: [0xc0]) }
    }

    @Test func eventBatchSurvives() throws {
        let hash = try #require(ChunkHash(bytes: Array(0..<32)))
        let batch = KVEventBatch(
            enabled: true,
            incarnation: 1_795_497_064_316_346_369,
            nextCursor: 2,
            lost: true,
            events: [
                KVEventRecord(
                    sequence: 1,
                    kind: .stored,
                    modelName: "m",
                    blockHashes: [hash],
                    parentBlockHash: hash,
                    tokenIDs: [0, .max]
                )
            ]
        )
        #expect(try KVEventReply(frame: KVEventReply(batch).encoded()).batch == batch)
        #expect(KVEventBatch.declined(incarnation: 1).enabled == false)
    }
}
