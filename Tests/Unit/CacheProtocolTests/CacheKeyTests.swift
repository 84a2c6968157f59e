// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

@Suite struct CacheKeyTests {
    private static func decode(_ map: [MessagePackValue.Entry]) throws -> CacheKey {
        try LookupRequest(payloads: [map.encoded, [0x01]]).key
    }

    @Test func keySurvives() throws {
        #expect(try Self.decode(WireFixtures.keyMap) == WireFixtures.key)
    }

    @Test(
        arguments: [
            ("model_name", .integer(1)), ("model_name", .binary([0x61])), ("model_name", .string("a@b")),
            ("model_name", .string("a\0b")), ("model_name", .string(String(repeating: "x", count: 4097))),
            ("world_size", .integer(0)), ("world_size", .integer(256)), ("world_size", .integer(-1)),
            ("world_size", .boolean(true)), ("world_size", .double(1)), ("world_size", .string("1")),
            ("worker_id", .integer(2)), ("worker_id", .integer(-1)), ("worker_id", .integer(.max)),
            ("worker_id", .string("0")), ("token_ids", .nil), ("token_ids", .binary([1])),
            ("token_ids", .array([.integer(-1)])), ("token_ids", .array([.integer(1 << 32)])),
            ("token_ids", .array([.double(1)])), ("token_ids", .array([.string("1")])), ("start", .integer(-1)),
            ("start", .largeInteger(.max)), ("start", .nil), ("end", .integer(-1)), ("end", .double(3)),
            ("request_id", .nil), ("request_id", .binary([])), ("cache_salt", .nil), ("cache_salt", .string("a@b")),
            ("cache_salt", .string("a/b")), ("cache_salt", .string("a\\b")), ("cache_salt", .string("a\0b")),
            ("cache_salt", .string(String(repeating: "ü", count: 129))), ("request_configs", .array([])),
            ("request_configs", .string("")), ("num_kv_readers", .integer(-1)), ("num_kv_readers", .integer(1 << 40)),
            ("num_kv_readers", .nil),
        ] as [(String, MessagePackValue)]
    )
    func fieldThatIsNotAcceptedIsNamed(field: String, value: MessagePackValue) {
        let error = #expect(throws: ProtocolError.self) { try Self.decode(WireFixtures.keyMap.setting(field, value)) }
        #expect(error?.field == "payload 0 key." + field)
    }

    @Test(arguments: ["model_name", "world_size", "worker_id", "token_ids", "start", "end", "request_id"])
    func missingFieldIsNamed(field: String) {
        #expect(throws: ProtocolError.missing(field: "payload 0 key." + field)) {
            try Self.decode(WireFixtures.keyMap.removing(field))
        }
    }

    @Test func absentFieldsWithDefaultsTakeThem() throws {
        let map = WireFixtures.keyMap.removing("cache_salt").removing("request_configs").removing("num_kv_readers")
        let key = try Self.decode(map)
        #expect(key.cacheSalt.isEmpty)
        #expect(key.requestConfigurations == nil)
        #expect(key.readerCount == 1)
    }

    /// Before 0.5.5 the number beside the key was the tensor-parallel size, and keys had no reader count.
    @Test(arguments: [(1, 1), (2, 1), (4, 4), (0, 1), (-1, 1), (Int64.max, 4096)])
    func readersOfEarlierKeysFollowFromTheTensorParallelSize(size: Int64, readers: Int) throws {
        var payloads = LookupRequest(key: WireFixtures.key).encodedPayloads()
        payloads[0] = WireFixtures.keyMap.removing("num_kv_readers").encoded
        payloads[1] = MessagePackValue.integer(size).encoded
        #expect(try LookupRequest(payloads: payloads).key.readerCount == readers)
        #expect(try FreeLookupLocksRequest(payloads: payloads).key.readerCount == readers)
    }

    @Test func unknownFieldsAreIgnoredAndTheLastDuplicateCounts() throws {
        let map =
            WireFixtures.keyMap + [
                .init(.string("future"), .map([.init(.integer(1), .array([.nil]))])),
                .init(.string("end"), .integer(9)),
            ]
        #expect(try Self.decode(map).end == 9)
    }

    @Test func orderOfFieldsDoesNotMatter() throws {
        #expect(try Self.decode(WireFixtures.keyMap.reversed()) == WireFixtures.key)
    }

    @Test func limitsAreInclusive() throws {
        let salt = String(repeating: "ü", count: 128)
        #expect(try Self.decode(WireFixtures.keyMap.setting("cache_salt", .string(salt))).cacheSalt == salt)
        let map = WireFixtures.keyMap.setting("world_size", .integer(255)).setting("worker_id", .integer(254))
        #expect(try Self.decode(map).workerID == 254)
        #expect(try Self.decode(WireFixtures.keyMap.setting("worker_id", .nil)).workerID == nil)
        #expect(try Self.decode(WireFixtures.keyMap.setting("start", .integer(9))).start == 9)
        let tokens = MessagePackValue.array([.integer(0), .integer(0xffff_ffff)])
        #expect(try Self.decode(WireFixtures.keyMap.setting("token_ids", tokens)).tokenIDs == [0, .max])
    }

    @Test func requestConfigurationsAreKeptAsTheirBytes() throws {
        // A 16-bit map head, which nothing here would write.
        let raw: [UInt8] = [0xde, 0x00, 0x01, 0xa1, 0x61, 0xcd, 0x00, 0x01]
        var frame = WireFixtures.keyMap.removing("request_configs").encoded
        frame[0] += 1
        frame += MessagePackValue.string("request_configs").encoded + raw
        let key = try LookupRequest(payloads: [frame, [0x01]]).key
        #expect(key.requestConfigurations == raw)
        #expect(try LookupRequest(payloads: LookupRequest(key: key).encodedPayloads()).key == key)
    }

    @Test func deepNestingIsRefusedWhereverItStands() {
        var nested = MessagePackValue.nil
        for _ in 0..<80 { nested = .array([nested]) }
        for field in ["future", "request_configs"] {
            let value: MessagePackValue = .map([.init(.string("a"), nested)])
            #expect(throws: ProtocolError.self) { try Self.decode(WireFixtures.keyMap.setting(field, value)) }
        }
    }

    @Test(
        arguments: [[0xdd, 0x3b, 0x9a, 0xca, 0x00], [0xdf, 0x3b, 0x9a, 0xca, 0x00], [0xdb, 0x3b, 0x9a, 0xca, 0x00]]
            as [[UInt8]]
    )
    func hugeClaimsAreRefusedUnallocated(head: [UInt8]) {
        var frame = WireFixtures.keyMap.removing("token_ids").encoded
        frame[0] += 1
        frame += MessagePackValue.string("token_ids").encoded + head + [0, 0, 0, 0, 0]
        #expect(throws: ProtocolError.self) { try LookupRequest(payloads: [frame, [0x01]]) }
        #expect(throws: ProtocolError.self) { try LookupRequest(payloads: [head, [0x01]]) }
    }

    @Test func keyThatIsNoMapOrHasOtherKeysIsRefused() {
        #expect(throws: ProtocolError.self) { try LookupRequest(payloads: [[0x90], [0x01]]) }
        #expect(throws: ProtocolError.self) { try Self.decode([.init(.integer(1), .nil)] + WireFixtures.keyMap) }
    }

    @Test(
        arguments: [
            ([.init(.string("lmcache.mp.reply_when_loaded"), .boolean(true))], true),
            ([.init(.integer(1), .map([])), .init(.string("lmcache.mp.reply_when_loaded"), .boolean(true))], true),
            ([.init(.string("lmcache.mp.reply_when_loaded"), .boolean(false))], false),
            ([.init(.string("lmcache.mp.reply_when_loaded"), .integer(1))], false),
            ([.init(.string("lmcache.other"), .boolean(true))], false), ([], false),
        ] as [([MessagePackValue.Entry], Bool)]
    )
    func aLateReplyIsAskedForByName(entries: [MessagePackValue.Entry], isWanted: Bool) throws {
        #expect(
            try Self.decode(WireFixtures.keyMap.setting("request_configs", .map(entries))).repliesWhenLoaded == isWanted
        )
        #expect(try !Self.decode(WireFixtures.keyMap.setting("request_configs", .nil)).repliesWhenLoaded)
    }

    @Test func errorNamesFieldGivenAndAccepted() {
        let error = #expect(throws: ProtocolError.self) {
            try Self.decode(WireFixtures.keyMap.setting("world_size", .integer(300)))
        }
        #expect(error?.description == "payload 0 key.world_size: 300 given, 1…255 accepted")
        let name = String(repeating: "x@", count: 1000) + "\n"
        let long = #expect(throws: ProtocolError.self) {
            try Self.decode(WireFixtures.keyMap.setting("model_name", .string(name)))
        }
        #expect((long?.description.utf8.count ?? .max) < 200)
    }
}
