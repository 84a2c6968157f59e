// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
package import Logging

/// What the environment says about logs.
package struct LogConfiguration: Sendable, Equatable {
    package var level: Logger.Level
    package var format: LogFormat

    package init(level: Logger.Level = .info, format: LogFormat = LogFormat(shape: .text, isColored: false)) {
        self.level = level
        self.format = format
    }

    /// Reads `LMCACHE_LOG_LEVEL` (unknown means INFO), `LMCACHE_LOG_FORMAT` (`json`, else text) and `LMCACHE_LOG_COLOR`
    /// (`1`, `always`, `true`, `yes` or `0`, `never`, `false`, `no`; else colours go to a terminal without `NO_COLOR`).
    package init(environment: [String: String], isTerminal: Bool) {
        self.level = environment["LMCACHE_LOG_LEVEL"].flatMap(LogLevelName.level) ?? .info
        let shape: LogFormat.Shape = environment["LMCACHE_LOG_FORMAT"]?.lowercased() == "json" ? .json : .text
        let isColored =
            switch environment["LMCACHE_LOG_COLOR"]?.lowercased() {
            case "1", "always", "true", "yes": true
            case "0", "never", "false", "no": false
            default: isTerminal && (environment["NO_COLOR"] ?? "").isEmpty
            }
        self.format = LogFormat(shape: shape, isColored: isColored)
    }

    /// Whether standard error is a terminal.
    package static var isStandardErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
