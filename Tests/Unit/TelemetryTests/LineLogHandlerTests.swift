// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization
import Telemetry
import Testing

@Suite struct LineLogHandlerTests {
    /// Keeps what was written.
    private final class Sink: Sendable {
        private let kept = Mutex<[String]>([])
        var lines: [String] { self.kept.withLock { $0 } }
        func write(_ line: String) { self.kept.withLock { $0.append(line) } }
    }

    private let sink = Sink()
    private let levels = LogLevels(initial: .info)

    private func logger(_ shape: LogFormat.Shape = .text, colored: Bool = false, name: String = "lmcache") -> Logger {
        Logger(label: name) { label in
            LineLogHandler(
                name: label,
                format: LogFormat(shape: shape, isColored: colored),
                levels: self.levels,
                now: {
                    LogTime(
                        year: 2026,
                        month: 1,
                        day: 2,
                        hour: 3,
                        minute: 4,
                        second: 5,
                        millisecond: 67,
                        offsetSeconds: -5400
                    )
                },
                write: { self.sink.write($0) }
            )
        }
    }

    @Test func textLinesLookLikeLMCaches() {
        self.logger().info("Stored 512 tokens in 0.010 seconds", file: "CacheEngine/Store.swift", line: 12)
        #expect(
            self.sink.lines == [
                "[2026-01-02 03:04:05,067] LMCache INFO: Stored 512 tokens in 0.010 seconds "
                    + "(Store.swift:12:CacheEngine)\n"
            ]
        )
    }

    @Test func coloursFollowTheLevel() {
        let logger = self.logger(colored: true)
        logger.warning("w", file: "M/F.swift", line: 1)
        #expect(
            self.sink.lines == [
                "\u{1B}[33;20m[2026-01-02 03:04:05,067] LMCache WARNING:\u{1B}[0m w \u{1B}[3m(F.swift:1:M)\u{1B}[0m\n"
            ]
        )
    }

    @Test func metadataFollowsTheMessageInOrderOfKeys() {
        var logger = self.logger()
        logger[metadataKey: "z"] = "own"
        logger.error("e", metadata: ["a": "given", "z": "wins"], file: "M/F.swift", line: 1)
        #expect(self.sink.lines == ["[2026-01-02 03:04:05,067] LMCache ERROR: e a=given z=wins (F.swift:1:M)\n"])
    }

    @Test func controlCharactersCannotForgeALine() {
        self.logger().critical("a\n[2026] LMCache INFO: \u{1B}[0mfake\t\r\u{7F}", file: "M/F.swift", line: 1)
        #expect(
            self.sink.lines == [
                "[2026-01-02 03:04:05,067] LMCache CRITICAL: a\\n[2026] LMCache INFO: \\x1b[0mfake\\t\\r\\x7f "
                    + "(F.swift:1:M)\n"
            ]
        )
    }

    @Test func jsonLinesHoldTheSameFacts() {
        self.logger(.json).notice("m \"q\"", metadata: ["k": "v"], file: "M/F.swift", line: 9)
        #expect(
            self.sink.lines == [
                #"{"time":"2026-01-02T03:04:05.067-01:30","level":"INFO","logger":"lmcache","message":"m \"q\"","#
                    + #""file":"F.swift","line":9,"module":"M","metadata":{"k":"v"}}"# + "\n"
            ]
        )
    }

    @Test func levelsChangeForLivingLoggersByName() {
        let engine = self.logger(name: "lmcache.engine")
        let other = self.logger(name: "other")
        engine.debug("hidden")
        #expect(self.levels.set(.debug, for: "lmcache"))
        engine.debug("shown")
        other.debug("hidden")
        self.logger(name: "lmcache.later").debug("shown")
        #expect(self.sink.lines.count == 2)
        #expect(self.levels.all().map(\.name) == ["lmcache", "lmcache.engine", "lmcache.later", "other"])
    }

    @Test func aCopyWithItsOwnLevelLeavesTheOthersAlone() {
        let logger = self.logger()
        var quiet = logger
        quiet.logLevel = .error
        quiet.info("hidden")
        logger.info("shown")
        #expect(self.sink.lines.count == 1)
    }
}
