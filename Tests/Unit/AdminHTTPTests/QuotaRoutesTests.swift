// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct QuotaRoutesTests {
    private let fixture = FrontFixture()

    @Test func limitsAreKeptToldAndRemoved() async throws {
        let f = self.fixture
        try await f.expect("GET", "/quota", "", 200, #"{"users":{}}"#)
        try await f.expect(
            "GET",
            "/quota/foo",
            "",
            200,
            #"{"cache_salt":"foo","limit_gb":0.0,"current_usage_gb":0.0,"exists":false}"#
        )
        try await f.expect(
            "PUT",
            "/quota/tenantA",
            #"{"limit_gb":1.5}"#,
            200,
            #"{"cache_salt":"tenantA","limit_gb":1.5,"status":"ok"}"#
        )
        try await f.expect(
            "PUT",
            "/quota/_default",
            #"{"limit_gb":"2"}"#,
            200,
            #"{"cache_salt":"_default","limit_gb":2.0,"status":"ok"}"#
        )
        try await f.expect(
            "GET",
            "/quota",
            "",
            200,
            #"{"users":{"_default":{"limit_gb":2.0,"current_usage_gb":0.0},"#
                + #""tenantA":{"limit_gb":1.5,"current_usage_gb":0.0}}}"#
        )
        try await f.expect("DELETE", "/quota/tenantA", "", 200, #"{"cache_salt":"tenantA","status":"removed"}"#)
        try await f.expect("DELETE", "/quota/tenantA", "", 200, #"{"cache_salt":"tenantA","status":"not_found"}"#)
    }

    @Test(arguments: [
        ("", "invalid JSON body"), ("{", "invalid JSON body"), ("[]", "body must be {'limit_gb': <float>}"),
        ("{}", "body must be {'limit_gb': <float>}"), (#"{"limit_gb":null}"#, "limit_gb must be numeric"),
        (#"{"limit_gb":"x"}"#, "limit_gb must be numeric"), (#"{"limit_gb":"inf"}"#, "limit_gb must be finite"),
        (#"{"limit_gb":"nan"}"#, "limit_gb must be finite"), (#"{"limit_gb":-1}"#, "limit_gb must be non-negative"),
    ])
    func badLimitsAre400(body: String, error: String) async throws {
        try await self.fixture.expect("PUT", "/quota/a", body, 400, #"{"error":"\#(error)"}"#)
    }

    @Test func saltsFollowTheirRules() async throws {
        #expect(try await self.fixture.ask("PUT", "/quota/a%40b", #"{"limit_gb":1}"#).status == 400)
        let long = String(repeating: "a", count: 129)
        #expect(try await self.fixture.ask("PUT", "/quota/\(long)", #"{"limit_gb":1}"#).status == 400)
    }

    @Test func theTableIsBounded() {
        let table = QuotaTable()
        for number in 0..<QuotaTable.maximumSalts { #expect(table.set(1, for: "\(number)")) }
        #expect(!table.set(1, for: "more"))
        #expect(table.set(2, for: "0"))
    }
}
