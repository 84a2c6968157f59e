// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct LivenessRoutesTests {
    private let fixture = FrontFixture()

    @Test func rootAndProbesSayThatTheServerLives() async throws {
        try await self.fixture.expect("GET", "/", "", 200, #"{"status":"ok","service":"LMCache HTTP API"}"#)
        for path in ["/healthcheck", "/healthz", "/livez"] {
            try await self.fixture.expect("GET", path, "", 200, #"{"status":"healthy"}"#)
        }
    }

    @Test func beforeTheEngineIsThereRoutesAnswer503InTheirOwnShape() async throws {
        self.fixture.operations.isReady = false
        let error = #"{"error":"engine not initialized"}"#
        let detail = #"{"detail":"server not initialized"}"#
        let probe = #"{"status":"unhealthy","reason":"engine not initialized"}"#
        let key = #"{"keys":[]}"#
        let prefetch = #"{"model_name":"m","world_size":1,"token_ids":[]}"#
        let table: [(String, String, String, String)] = [
            ("GET", "/healthcheck", "", probe), ("GET", "/status", "", error),
            ("GET", "/config", "", #"{"error":"configs not initialized"}"#), ("GET", "/config/adapters", "", detail),
            ("POST", "/cache/clear", "", detail), ("POST", "/cache/checksums", "{}", detail),
            ("GET", "/cache/objects", "", detail), ("DELETE", "/cache/objects", key, detail),
            ("POST", "/cache/prefetches", prefetch, detail), ("GET", "/quota", "", error),
            ("GET", "/quota/a", "", error), ("PUT", "/quota/a", #"{"limit_gb":1}"#, error),
            ("DELETE", "/quota/a", "", error), ("GET", "/reconfigure/fs/l2/status", "", error),
            ("POST", "/reconfigure/fs/l2/add", "{}", error), ("GET", "/reconfigure/dax/l1/status", "", error),
        ]
        for (method, path, body, text) in table { try await self.fixture.expect(method, path, body, 503, text) }
        #expect(self.fixture.operations.clears.isEmpty)
    }

    @Test func statusAddsVersionAndWhatItIsCompatibleWith() async throws {
        try await self.fixture.expect(
            "GET",
            "/status",
            "",
            200,
            #"{"is_healthy":true,"chunk_size":16,"version":"0.1.0","compatible_with":"0.5.6"}"#
        )
    }

    @Test func versionsAreJSONStrings() async throws {
        try await self.fixture.expect("GET", "/version", "", 200, "\"0.1.0\"")
        try await self.fixture.expect("GET", "/lmc_version", "", 200, "\"0.1.0\"")
        try await self.fixture.expect("GET", "/commit_id", "", 200, "\"abc\"")
    }

    @Test func configurationIsIndented() async throws {
        try await self.fixture.expect(
            "GET",
            "/config",
            "",
            200,
            "{\n  \"mp\": {\n    \"port\": 5555\n  },\n  \"http\": {}\n}"
        )
        try await self.fixture.expect("GET", "/config/adapters", "", 200, #"{"adapters":[]}"#)
    }
}
