// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct CacheRoutesTests {
    private let fixture = FrontFixture()

    @Test func clearTakesNoBodyOrAnObject() async throws {
        let done = #"{"status":"ok","cleared":{"tier":"l1"}}"#
        for body in ["", "{}", #"{"tier":"l1"}"#, #"{"force":true}"#, #"{"force":"yes","extra":1}"#] {
            try await self.fixture.expect("POST", "/cache/clear", body, 200, done)
        }
        #expect(self.fixture.operations.clears == [false, false, false, true, true])
    }

    @Test func clearRefusesOtherTiersAndWhatIsNotJSON() async throws {
        try await self.fixture.expect(
            "POST",
            "/cache/clear",
            #"{"tier":"l2"}"#,
            400,
            #"{"detail":"tier 'l2' not supported; only 'l1'"}"#
        )
        try await self.fixture.expect(
            "POST",
            "/cache/clear",
            #"{"tier":"l3"}"#,
            422,
            #"{"detail":[{"type":"enum","loc":["body","tier"],"msg":"Input should be 'l1', 'l2' or 'all'","#
                + #""input":"l3","ctx":{"expected":"'l1', 'l2' or 'all'"}}]}"#
        )
        try await self.fixture.expect(
            "POST",
            "/cache/clear",
            "{x",
            422,
            #"{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","input":{},"#
                + #""ctx":{"error":"Expecting property name enclosed in double quotes"}}]}"#
        )
        try await self.fixture.expect(
            "POST",
            "/cache/clear",
            "[1]",
            422,
            #"{"detail":[{"type":"model_attributes_type","loc":["body"],"#
                + #""msg":"Input should be a valid dictionary or object to extract fields from","input":[1]}]}"#
        )
        #expect(self.fixture.operations.clears.isEmpty)
    }

    @Test func checksumsReportChunksAndRanges() async throws {
        try await self.fixture.expect(
            "POST",
            "/cache/checksums",
            #"{"block_ids":[1,2,3],"chunk_size":2,"instance_id":7,"layerwise":false}"#,
            200,
            #"{"status":"success","chunk_size":2,"num_chunks":2,"chunk_checksums":["aa","bb"],"layerwise":false,"#
                + #""block_id_ranges":[[1,3]]}"#
        )
        try await self.fixture.expect(
            "POST",
            "/cache/checksums",
            #"{"block_ids":["1",9.0],"chunk_size":2,"instance_id":7,"layerwise":true}"#,
            200,
            #"{"status":"success","chunk_size":2,"num_chunks":1,"chunk_checksums":{"layer_0":["aa","bb"]},"#
                + #""layerwise":true,"block_id_ranges":[1,9]}"#
        )
    }

    @Test(arguments: [
        (#"{"instance_id":501}"#, 501, "checksum not supported for this engine type"),
        (#"{}"#, 404, "instance_id 0 not registered"),
        (#"{"instance_id":9,"block_ids":[1]}"#, 404, "instance_id 9 not registered"),
        (#"{"instance_id":7}"#, 400, "block_ids is required"),
        (#"{"instance_id":7,"block_ids":[]}"#, 400, "block_ids is required"),
        (#"{"instance_id":7,"block_ids":[1]}"#, 400, "chunk_size must be positive"),
        (#"{"instance_id":7,"block_ids":[1],"chunk_size":-3}"#, 400, "chunk_size must be positive"),
        (#"{"instance_id":8,"block_ids":[1],"chunk_size":9223372036854775807}"#, 404, "kv_caches empty"),
    ])
    func checksumRefusalsKeepTheirOrder(body: String, status: Int, detail: String) async throws {
        try await self.fixture.expect("POST", "/cache/checksums", body, status, #"{"detail":"\#(detail)"}"#)
    }

    @Test(arguments: [
        (#"{"block_ids":3}"#, "list_type", #"["body","block_ids"]"#),
        (#"{"block_ids":[1,[2]]}"#, "int_type", #"["body","block_ids",1]"#),
        (#"{"block_ids":[1.5]}"#, "int_from_float", #"["body","block_ids",0]"#),
        (#"{"chunk_size":"x"}"#, "int_parsing", #"["body","chunk_size"]"#),
        (#"{"chunk_size":1e300}"#, "int_from_float", #"["body","chunk_size"]"#),
        (#"{"layerwise":[]}"#, "bool_type", #"["body","layerwise"]"#),
        ("", "missing", #"["body"]"#),
    ])
    func checksumSchemaViolationsAre422(body: String, type: String, location: String) async throws {
        let response = try await self.fixture.ask("POST", "/cache/checksums", body)
        #expect(response.status == 422)
        #expect(response.body.hasPrefix(#"{"detail":[{"type":"\#(type)","loc":\#(location),"msg":"#))
    }
}
