// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct PrefetchRoutesTests {
    private let fixture = FrontFixture()

    private static func body(_ more: String = "") -> String {
        #"{"model_name":"m","world_size":1,"token_ids":[1,2]\#(more)}"#
    }

    @Test(arguments: [
        ("", 503, "no L2 adapters configured"),
        (#","source_tier":"l1""#, 400, "unsupported prefetch direction 'l1'->'l1'; only 'l2'->'l1'"),
        (#","target_tier":"l2""#, 400, "unsupported prefetch direction 'l2'->'l2'; only 'l2'->'l1'"),
        (#","cache_salt":"a@b""#, 400, #"cache_salt must not contain '@', '/', '\\' or NUL"#),
    ])
    func submissionsAreRefusedWithAReason(more: String, status: Int, detail: String) async throws {
        try await self.fixture.expect("POST", "/cache/prefetches", Self.body(more), status, #"{"detail":"\#(detail)"}"#)
    }

    @Test func missingMembersAreAllNamed() async throws {
        let response = try await self.fixture.ask("POST", "/cache/prefetches", "{}")
        #expect(response.status == 422)
        for name in ["model_name", "world_size", "token_ids"] {
            #expect(
                response.body.contains(
                    #"{"type":"missing","loc":["body","\#(name)"],"msg":"Field required","input":{}}"#
                )
            )
        }
    }

    @Test func noRequestIsKnown() async throws {
        try await self.fixture.expect(
            "GET",
            "/cache/prefetches/x%22y",
            "",
            404,
            #"{"detail":"unknown prefetch request_id='x\"y' (already completed or never submitted)"}"#
        )
    }
}
