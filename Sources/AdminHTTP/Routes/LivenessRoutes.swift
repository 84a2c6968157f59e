// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/`, the health probes, the state and the versions.
enum LivenessRoutes {
    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/") { _ in .json(["status": "ok", "service": "LMCache HTTP API"]) }
        // LMCache has the first; orchestrators commonly ask for the others.
        for path in ["/healthcheck", "/healthz", "/livez"] {
            table.add("GET", path) { _ in
                if operations.isReady { return .json(["status": "healthy"]) }
                return .json(["status": "unhealthy", "reason": "engine not initialized"], status: 503)
            }
        }
        table.add("GET", "/status") { _ in
            guard operations.isReady else { return .error(503, "engine not initialized") }
            return .json(Self.completed(operations.status(), surroundings))
        }
        table.add("GET", "/version") { _ in .json(.string(surroundings.version)) }
        table.add("GET", "/lmc_version") { _ in .json(.string(surroundings.version)) }
        table.add("GET", "/commit_id") { _ in .json(.string(surroundings.commit)) }
    }

    /// Adds who answers to what the engine reports.
    private static func completed(_ status: JSONValue, _ surroundings: AdminFront.Surroundings) -> JSONValue {
        guard case .object(let members) = status else { return status }
        return .object(
            members + [
                ("version", .string(surroundings.version)), ("compatible_with", .string(surroundings.compatibleWith)),
            ]
        )
    }
}
