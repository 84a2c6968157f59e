// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry
import Testing

@testable import AdminHTTP

@Suite struct DiagnosticRoutesTests {
    private let fixture = FrontFixture()

    @Test func metricsAreTheExposition() async throws {
        self.fixture.registry.counter("x_total").increment()
        let response = try await self.fixture.ask("GET", "/metrics")
        #expect(response.contentType == "text/plain; charset=utf-8")
        #expect(response.body == "# TYPE x_total counter\nx_total 1.0\n")
        try await self.fixture.expect("POST", "/metrics/reset", "", 200, "ok")
        #expect(self.fixture.registry.counter("x_total").value == 1)
    }

    @Test func levelsAreReadAndSet() async throws {
        let f = self.fixture
        _ = f.levels.cell("lmcache.engine")
        try await f.expect("GET", "/loglevel", "", 200, "=== Loggers and Levels ===\nlmcache.engine: INFO\n")
        try await f.expect("GET", "/loglevel?logger_name=lmcache.engine", "", 200, "lmcache.engine: INFO")
        try await f.expect(
            "GET",
            "/loglevel?logger_name=lmcache&level=debug",
            "",
            200,
            "Set lmcache level to DEBUG (including all handlers)"
        )
        #expect(f.levels.cell("lmcache.engine").level == .debug)
        try await f.expect("GET", "/loglevel?logger_name=lmcache&level=bogus", "", 400, "Invalid log level: bogus")
        try await f.expect("GET", "/loglevel?level=debug", "", 200, "null")
        try await f.expect(
            "GET",
            "/loglevel?logger_name=&level=",
            "",
            200,
            "=== Loggers and Levels ===\nlmcache: DEBUG\nlmcache.engine: DEBUG\n"
        )
    }

    @Test func scriptsDoNotRun() async throws {
        let response = try await self.fixture.ask("POST", "/run_script", "import os")
        #expect(response.status == 404)
        #expect(response.contentType == "text/plain; charset=utf-8")
    }
}
