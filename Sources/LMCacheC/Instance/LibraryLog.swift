// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry

/// Log lines of the library: warnings and worse to standard error, unless `LMCACHE_LOG_LEVEL` says otherwise.
///
/// The host's own log is left alone.
enum LibraryLog {
    private static let system: LogSystem = {
        var environment: [String: String] = ["LMCACHE_LOG_LEVEL": "WARNING"]
        for name in ["LMCACHE_LOG_LEVEL", "LMCACHE_LOG_FORMAT", "LMCACHE_LOG_COLOR", "NO_COLOR"] {
            if let value = ProcessFacts.environment(name) { environment[name] = value }
        }
        return LogSystem(
            configuration: LogConfiguration(
                environment: environment, isTerminal: LogConfiguration.isStandardErrorTerminal))
    }()

    static func logger(_ name: String) -> Logger { self.system.logger(name) }
}
