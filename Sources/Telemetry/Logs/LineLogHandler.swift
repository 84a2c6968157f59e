// lmcache · SPDX-License-Identifier: Apache-2.0

package import Logging

/// Writes each event as one line through `write`.
///
/// Any thread.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let name: String
    private let format: LogFormat
    private let shared: LogLevels.Cell
    private var own: Logger.Level?
    private let now: @Sendable () -> LogTime
    private let write: @Sendable (String) -> Void

    /// `write` gets a whole line, newline included.
    package init(
        name: String,
        format: LogFormat,
        levels: LogLevels,
        now: @escaping @Sendable () -> LogTime = LogTime.local,
        write: @escaping @Sendable (String) -> Void = StandardErrorSink.write
    ) {
        self.name = name
        self.format = format
        self.shared = levels.cell(name)
        self.now = now
        self.write = write
    }

    /// The level shared by all loggers of this name, unless this copy was given its own.
    package var logLevel: Logger.Level {
        get { self.own ?? self.shared.level }
        set { self.own = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line = LogLine(
            time: self.now(),
            logger: self.name,
            level: event.level,
            message: event.message.description,
            metadata: self.merged(event),
            file: event.file,
            line: event.line
        )
        switch self.format.shape {
        case .text: self.write(line.text(colored: self.format.isColored))
        case .json: self.write(line.json())
        }
    }

    private func merged(_ event: LogEvent) -> [(String, String)] {
        var all = self.metadata
        if let provided = self.metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        return all.map { ($0.key, $0.value.description) }.sorted { $0.0 < $1.0 }
    }
}
