// lmcache · SPDX-License-Identifier: Apache-2.0

package import Logging

/// LMCache's names for levels: DEBUG, INFO, WARNING, ERROR, CRITICAL.
package enum LogLevelName {
    /// The level for a name in any case; nil for other words.
    package static func level(_ name: String) -> Logger.Level? {
        switch name.uppercased() {
        case "DEBUG": .debug
        case "INFO": .info
        case "WARNING": .warning
        case "ERROR": .error
        case "CRITICAL": .critical
        default: nil
        }
    }

    /// The name as log lines carry it; finer levels show as the nearest of the five.
    package static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "DEBUG"
        case .info, .notice: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }
}
