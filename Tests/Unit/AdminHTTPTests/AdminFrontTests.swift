// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AdminHTTP

@Suite struct AdminFrontTests {
    private let fixture = FrontFixture()

    @Test(arguments: ["/nope", "/health", "/cache", "/env", "//healthcheck", "/quota/a/b", "/quota//", ""])
    func unknownPathsAre404(path: String) async throws {
        try await self.fixture.expect("GET", path, "", 404, #"{"detail":"Not Found"}"#)
    }

    @Test(arguments: [
        ("HEAD", "/healthcheck", "GET"), ("GET", "/cache/clear", "POST"), ("POST", "/cache/objects", "DELETE, GET"),
        ("POST", "/quota/a", "DELETE, GET, PUT"), ("get", "/", "GET"),
    ])
    func wrongMethodsAre405(method: String, path: String, allowed: String) async throws {
        let response = try await self.fixture.ask(method, path)
        #expect(response.status == 405)
        #expect(response.body == #"{"detail":"Method Not Allowed"}"#)
        #expect(response.headers["Allow"] == allowed)
    }

    @Test(arguments: [
        ("/status/", "/status"), ("/quota/a/?x=1", "/quota/a?x=1"), ("/cache/clear/", "/cache/clear"),
        ("/status%2F", "/status"), ("//", "/"), ("/cache/prefetches/", "/cache/prefetches"),
    ])
    func aTrailingSlashIsRedirected(target: String, location: String) async throws {
        let response = try await self.fixture.ask("GET", target)
        #expect(response.status == 307)
        #expect(response.headers["Location"] == location)
    }

    @Test func aBodyThatIsTooLongIs413AndOtherFailuresPassThrough() async throws {
        let response = try await self.fixture.front.respond(method: "POST", target: "/cache/clear") {
            throw AdminFront.BodyFailure.tooLarge
        }
        #expect(response.status == 413)
        struct Gone: Error {}
        await #expect(throws: Gone.self) {
            try await self.fixture.front.respond(method: "POST", target: "/cache/clear") { throw Gone() }
        }
    }

    @Test func routesWithoutABodyNeverReadOne() async throws {
        struct Read: Error {}
        let response = try await self.fixture.front.respond(method: "GET", target: "/status") { throw Read() }
        #expect(response.status == 200)
    }
}
