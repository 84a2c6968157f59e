// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry
import Testing

@testable import AdminHTTP

/// The front over a fake server, without sockets.
struct FrontFixture {
    let operations = FakeOperations()
    let registry = MetricsRegistry()
    let levels = LogLevels(initial: .info)
    let front: AdminFront

    init() {
        self.front = AdminFront(
            AdminFront.Surroundings(
                operations: self.operations,
                registry: self.registry,
                levels: self.levels,
                version: "0.1.0",
                compatibleWith: "0.5.6",
                commit: "abc",
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
        )
    }

    func ask(_ method: String, _ target: String, _ body: String = "") async throws -> AdminResponse {
        try await self.front.respond(method: method, target: target) { Array(body.utf8) }
    }

    /// Asks and compares status and body.
    func expect(
        _ method: String,
        _ target: String,
        _ body: String = "",
        _ status: Int,
        _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let response = try await self.ask(method, target, body)
        #expect(response.status == status, sourceLocation: sourceLocation)
        #expect(response.body == text, sourceLocation: sourceLocation)
    }
}
