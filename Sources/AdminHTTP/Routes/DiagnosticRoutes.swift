// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry

/// `/metrics`, `/loglevel` and the refusal of `/run_script`.
enum DiagnosticRoutes {
    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let registry = surroundings.registry
        table.add("GET", "/metrics") { _ in .text(registry.exposition()) }
        // LMCache resets nothing that a server of this kind has; neither do we.
        table.add("POST", "/metrics/reset") { _ in .text("ok") }
        table.add("GET", "/loglevel") { request in Self.logLevel(request, surroundings.levels) }
        table.add("POST", "/run_script") { _ in .text("run_script is not available on this server", status: 404) }
    }

    private static func logLevel(_ request: AdminRequest, _ levels: LogLevels) -> AdminResponse {
        // An empty value counts as none, as it does in LMCache.
        let name = request.query("logger_name").flatMap { $0.isEmpty ? nil : $0 }
        let word = request.query("level").flatMap { $0.isEmpty ? nil : $0 }
        switch (name, word) {
        case (nil, nil):
            let lines = levels.all().map { "\($0.name): \(LogLevelName.name($0.level))\n" }
            return .text("=== Loggers and Levels ===\n" + lines.joined())
        case (nil, _?): return .json(.null)
        case (let name?, nil): return .text("\(name): \(LogLevelName.name(levels.level(of: name)))")
        case (let name?, let word?):
            guard let level = LogLevelName.level(word) else { return .text("Invalid log level: \(word)", status: 400) }
            guard levels.set(level, for: name) else { return .text("Too many loggers: \(name)", status: 400) }
            return .text("Set \(name) level to \(LogLevelName.name(level)) (including all handlers)")
        }
    }
}
