// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EngineTestSupport
import KVModel
import Logging
import Testing

/// A client that goes on asking for what cannot be done must not fill the disk with log lines.
@Suite struct RepeatedWarningRegressionTests {
    @Test func aWarningOfOneKindIsWrittenOnceAMinute() throws {
        let lines = Answers<String>()
        let script = try EngineScript { $0.logger = Logger(label: "warnings") { _ in CollectingHandler(lines: lines) } }
        defer { script.stop() }
        let text = Prompt(text: 1, chunks: 2)
        for _ in 0..<100 {
            script.lookup(text, request: "r", model: "unknown")
            script.store(text, instance: 7)
            script.retrieve(text, instance: 7, request: "r")
        }
        #expect(lines.count == 2, "no layout, unknown worker: \(lines.all)")
        script.server.advance(.seconds(61))
        script.lookup(text, request: "r", model: "unknown")
        #expect(lines.all.last?.hasSuffix("(and 99 more of this kind)") == true)
        try script.register(.simulated(instance: 1))
        for _ in 0..<50 { script.retrieve(text, request: "r") }
        #expect(lines.all.count { $0.contains("Some keys not found") } == 1)
    }
}

private struct CollectingHandler: LogHandler {
    let lines: Answers<String>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.lines.add(event.message.description) }
}
