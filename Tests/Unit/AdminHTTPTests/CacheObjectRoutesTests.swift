// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct CacheObjectRoutesTests {
    private let fixture = FrontFixture()
    private static let noAdapters = #"{"detail":"no L2 adapters configured"}"#

    @Test func listingNeedsAnAdapter() async throws {
        try await self.fixture.expect("GET", "/cache/objects", "", 503, Self.noAdapters)
        try await self.fixture.expect("GET", "/cache/objects?tier=l2&page_size=5000", "", 503, Self.noAdapters)
        try await self.fixture.expect(
            "GET",
            "/cache/objects?tier=l1",
            "",
            400,
            #"{"detail":"tier 'l1' not supported; only 'l2'"}"#
        )
    }

    @Test(arguments: [
        ("tier=disk", "enum", "tier"), ("page_size=0", "greater_than_equal", "page_size"),
        ("page_size=5001", "less_than_equal", "page_size"), ("page_size=x", "int_parsing", "page_size"),
        ("page_size=99999999999999999999", "int_parsing", "page_size"),
    ])
    func badQueriesAre422(query: String, type: String, name: String) async throws {
        let response = try await self.fixture.ask("GET", "/cache/objects?\(query)")
        #expect(response.status == 422)
        #expect(response.body.hasPrefix(#"{"detail":[{"type":"\#(type)","loc":["query","\#(name)"]"#))
    }

    private static func body(_ key: String, tier: String = "l2") -> String { #"{"keys":[\#(key)],"tier":"\#(tier)"}"# }

    private static let key = #"{"chunk_hash_hex":"ab01","model_name":"m","kv_rank":1}"#

    @Test func deletionWithoutL2IsRefused() async throws {
        try await self.fixture.expect("DELETE", "/cache/objects", Self.body(Self.key), 503, Self.noAdapters)
        try await self.fixture.expect(
            "DELETE",
            "/cache/objects",
            Self.body(Self.key, tier: "all"),
            503,
            Self.noAdapters
        )
        #expect(try await self.fixture.ask("DELETE", "/cache/objects", Self.body(Self.key, tier: "l1")).status == 200)
    }

    @Test(arguments: [
        (#"{"chunk_hash_hex":"xyz1","model_name":"m","kv_rank":1}"#, "keys[0]: chunk_hash_hex"),
        (#"{"chunk_hash_hex":"ab0","model_name":"m","kv_rank":1}"#, "keys[0]: chunk_hash_hex"),
        (#"{"chunk_hash_hex":"ab","model_name":"m@x","kv_rank":1}"#, "keys[0]: model_name"),
        (#"{"chunk_hash_hex":"ab","model_name":"m","kv_rank":1,"object_group_id":-1}"#, "keys[0]: object_group_id"),
        (#"{"chunk_hash_hex":"ab","model_name":"m","kv_rank":1,"cache_salt":"a/b"}"#, "keys[0]: cache_salt"),
    ])
    func keysThatBreakARuleAre400(key: String, detail: String) async throws {
        let response = try await self.fixture.ask("DELETE", "/cache/objects", Self.body(key))
        #expect(response.status == 400)
        #expect(response.body.hasPrefix(#"{"detail":"\#(detail)"#))
    }

    @Test func keysThatMissMembersAre422() async throws {
        let response = try await self.fixture.ask("DELETE", "/cache/objects", Self.body(#"{"kv_rank":1}"#))
        #expect(response.status == 422)
        #expect(response.body.hasPrefix(#"{"detail":[{"type":"missing","loc":["body","keys",0,"chunk_hash_hex"]"#))
        #expect(try await self.fixture.ask("DELETE", "/cache/objects", "{}").status == 422)
    }

    @Test func tooManyKeysAre400() async throws {
        let keys = Array(repeating: "0", count: 10_001).joined(separator: ",")
        try await self.fixture.expect(
            "DELETE",
            "/cache/objects",
            Self.body(keys),
            400,
            #"{"detail":"too many keys in a single request (limit=10000, got=10001)"}"#
        )
    }
}
