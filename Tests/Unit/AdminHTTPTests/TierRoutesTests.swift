// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization
import Testing

@testable import AdminHTTP

/// What the routes answer when there are second tiers.
@Suite struct TierRoutesTests {
    private let fixture = FrontFixture()
    private var tiers: FakeTiers { self.fixture.operations.fakeTiers }

    private static func key(_ number: UInt64, model: String = "m", salt: String = "") -> ObjectKey {
        ObjectKey(
            chunkHash: ChunkHash(words: (number, 0, 0, 0)), modelName: model, kvRank: KVRank(worldSize: 1, rank: 0),
            objectGroup: 0, cacheSalt: salt)
    }

    private static func json(_ number: Int, group: Int = 0) -> String {
        let hash = String(repeating: "0", count: 15) + "\(number)" + String(repeating: "0", count: 48)
        return """
            {"chunk_hash_hex":"\(hash)","model_name":"m","kv_rank":16777472,"object_group_id":\(group),"cache_salt":""}
            """
    }

    private static let rank = KVRank(worldSize: 1, rank: 0).rawValue

    @Test func pagesCarryKeysAndWhereTheNextBegins() async throws {
        self.tiers.insert(type: "s3", keys: [Self.key(1), Self.key(2), Self.key(3, model: "other")], isShared: true)
        let rank = Self.rank
        let first = Self.json(1).replacing("16777472", with: "\(rank)")
        let second = Self.json(2).replacing("16777472", with: "\(rank)")
        try await self.fixture.expect(
            "GET", "/cache/objects?model_name=m&page_size=1", "", 200,
            #"{"adapter":"s3","shared":true,"entries":[\#(first)],"next_page_token":"1"}"#)
        try await self.fixture.expect(
            "GET", "/cache/objects?model_name=m&page_size=1&page_token=1", "", 200,
            #"{"adapter":"s3","shared":true,"entries":[\#(second)],"next_page_token":null}"#)
        #expect(try await self.fixture.ask("GET", "/cache/objects?page_token=x").status == 400)
    }

    @Test func anUnknownAdapterIsNotFound() async throws {
        self.tiers.insert(type: "fs")
        try await self.fixture.expect(
            "GET", "/cache/objects?adapter=zzz", "", 404, #"{"detail":"no L2 adapter with type_name='zzz'"}"#)
        #expect(try await self.fixture.ask("GET", "/cache/objects?adapter=fs").status == 200)
    }

    @Test func deletionReachesEachTier() async throws {
        let keys = [1, 2, 3].map { Self.key(UInt64($0)) }
        self.tiers.insert(type: "fs", keys: keys)
        self.tiers.state.withLock {
            $0.pool = keys
            $0.inUse = [keys[1]]
        }
        let body = #"{"keys":[\#(Self.json(1)),\#(Self.json(2))],"tier":"all"}"#
            .replacing("16777472", with: "\(Self.rank)")
        try await self.fixture.expect(
            "DELETE", "/cache/objects", body, 200, #"{"deleted":3,"skipped":1,"ok":true}"#)
        #expect(self.tiers.state.withLock { $0.pool } == [keys[1], keys[2]])
        #expect(self.tiers.state.withLock { $0.tiers[0].keys } == [keys[2]])
        let forced = #"{"keys":[\#(Self.json(2))],"tier":"l1","force":true}"#
            .replacing("16777472", with: "\(Self.rank)")
        try await self.fixture.expect(
            "DELETE", "/cache/objects", forced, 200, #"{"deleted":1,"skipped":0,"ok":true}"#)
    }

    @Test func keysThatNoObjectCanHaveAreNotDeleted() async throws {
        self.tiers.insert(type: "fs", keys: [Self.key(1)])
        let short = #"{"keys":[{"chunk_hash_hex":"ab01","model_name":"m","kv_rank":1}]}"#
        try await self.fixture.expect(
            "DELETE", "/cache/objects", short, 200, #"{"deleted":0,"skipped":0,"ok":true}"#)
        let negative = short.replacing("\"kv_rank\":1", with: "\"kv_rank\":-1")
        #expect(try await self.fixture.ask("DELETE", "/cache/objects", negative).status == 200)
    }

    @Test func aWarmingIsToldOnce() async throws {
        self.tiers.insert(type: "fs")
        let body = #"{"model_name":"m","world_size":1,"token_ids":[1,2,3,4,5],"cache_salt":"s"}"#
        try await self.fixture.expect(
            "POST", "/cache/prefetches", body, 202, #"{"request_id":"a","chunks":2,"status":"submitted"}"#)
        #expect(self.tiers.state.withLock { $0.prompts.map(\.tokens) } == [[1, 2, 3, 4, 5]])
        try await self.fixture.expect(
            "GET", "/cache/prefetches/a", "", 200, #"{"request_id":"a","status":"pending"}"#)
        self.tiers.state.withLock { $0.warmings["a"] = .completed(found: 1, total: 2) }
        try await self.fixture.expect(
            "GET", "/cache/prefetches/a", "", 200,
            #"{"request_id":"a","status":"completed","found_keys":1,"total_keys":2}"#)
        #expect(try await self.fixture.ask("GET", "/cache/prefetches/a").status == 404)
    }

    @Test(arguments: [
        (#"{"model_name":"m","world_size":1,"token_ids":[1]}"#, 202),
        (#"{"model_name":"x","world_size":1,"token_ids":[1,2]}"#, 503),
        (#"{"model_name":"m","world_size":1,"token_ids":[-1,2]}"#, 400),
        (#"{"model_name":"m","world_size":1,"token_ids":[4294967296,2]}"#, 400),
        (#"{"model_name":"m","world_size":1,"token_ids":[1,2],"source_tier":"l1"}"#, 400),
    ])
    func promptsAreChecked(body: String, status: Int) async throws {
        self.tiers.insert(type: "fs")
        #expect(try await self.fixture.ask("POST", "/cache/prefetches", body).status == status)
    }

    @Test func quotasReachTheTiersInBytes() async throws {
        self.tiers.state.withLock { $0.usage = ["": 1 << 30, "tenant": 1 << 29] }
        _ = try await self.fixture.ask("PUT", "/quota/tenant", #"{"limit_gb":1.5}"#)
        #expect(self.tiers.state.withLock { $0.quotas } == ["tenant": 1_610_612_736])
        try await self.fixture.expect(
            "GET", "/quota/tenant", "", 200,
            #"{"cache_salt":"tenant","limit_gb":1.5,"current_usage_gb":0.5,"exists":true}"#)
        try await self.fixture.expect(
            "GET", "/quota", "", 200, #"{"users":{"tenant":{"limit_gb":1.5,"current_usage_gb":0.5}}}"#)
        _ = try await self.fixture.ask("DELETE", "/quota/tenant")
        #expect(self.tiers.state.withLock { $0.quotas.isEmpty })
    }

    @Test func adaptersComeAndGo() async throws {
        try await self.fixture.expect(
            "POST", "/reconfigure/fs/l2/add", #"{"base_path":"/x"}"#, 200,
            #"{"added":{"adapter_index":0,"type_name":"fs","shared":false,"status":{"n":1}}}"#)
        _ = try await self.fixture.ask("POST", "/reconfigure/mock/l2/add", "{}")
        try await self.fixture.expect(
            "GET", "/config/adapters", "", 200,
            #"{"adapters":[{"index":0,"type_name":"fs","tier":"l2","primary":true,"reconfigurable":true},"#
                + #"{"index":1,"type_name":"mock","tier":"l2","primary":false,"reconfigurable":true}]}"#)
        try await self.fixture.expect(
            "GET", "/reconfigure/mock/l2/status", "", 200,
            #"{"enabled":true,"backend":"mock","num_adapters":1,"adapters":[{"adapter_index":0,"type_name":"mock","#
                + #""shared":false,"status":{"n":2}}]}"#)
        try await self.fixture.expect(
            "POST", "/reconfigure/fs/l2/remove", #"{"adapter_index":1}"#, 404, #"{"error":"fs adapter not found"}"#)
        #expect(try await self.fixture.ask("POST", "/reconfigure/fs/l2/remove", "{}").status == 200)
        #expect(self.tiers.all().map(\.type) == ["mock"])
    }

    @Test(arguments: [
        ("fs", #"{"type":"mock"}"#, 400), ("nvme", "{}", 400), ("fs", "[]", 422), ("fs", "x", 422),
    ])
    func adaptersThatDoNotFitAreRefused(backend: String, body: String, status: Int) async throws {
        #expect(try await self.fixture.ask("POST", "/reconfigure/\(backend)/l2/add", body).status == status)
        #expect(self.tiers.all().isEmpty)
    }
}
