// lmcache · SPDX-License-Identifier: Apache-2.0

package import Logging

/// Makes loggers that share levels and a format; the process need not hand its logging over to us.
package final class LogSystem: Sendable {
    package let levels: LogLevels
    package let configuration: LogConfiguration
    private let write: @Sendable (String) -> Void

    package init(
        configuration: LogConfiguration,
        write: @escaping @Sendable (String) -> Void = StandardErrorSink.write
    ) {
        self.configuration = configuration
        self.levels = LogLevels(initial: configuration.level)
        self.write = write
    }

    /// A logger with this name; loggers of one name share a level.
    package func logger(_ name: String) -> Logger {
        Logger(label: name) { self.handler($0) }
    }

    /// A handler, for `LoggingSystem.bootstrap` in a process that is ours.
    package func handler(_ name: String) -> any LogHandler {
        LineLogHandler(name: name, format: self.configuration.format, levels: self.levels, write: self.write)
    }
}
