// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry
import Testing

@Suite struct LogLevelsTests {
    @Test func theNearestSetAncestorCounts() {
        let levels = LogLevels(initial: .info)
        #expect(levels.set(.error, for: "a"))
        #expect(levels.set(.debug, for: "a.b"))
        #expect(levels.level(of: "a.b.c") == .debug)
        #expect(levels.level(of: "a.x") == .error)
        #expect(levels.level(of: "ab") == .info)
        #expect(levels.set(.warning, for: "a"))
        #expect(levels.level(of: "a.b.c") == .warning)
    }

    @Test func namesFromRequestsAreBounded() {
        let levels = LogLevels(initial: .info)
        for number in 0..<LogLevels.maximumChosenNames { #expect(levels.set(.debug, for: "n\(number)")) }
        #expect(!levels.set(.debug, for: "one more"))
        #expect(levels.set(.error, for: "n0"))
    }

    @Test(arguments: [
        ("debug", Logger.Level.debug), ("INFO", .info), ("Warning", .warning), ("error", .error),
        ("critical", .critical),
    ])
    func namesAreReadInAnyCase(name: String, level: Logger.Level) {
        #expect(LogLevelName.level(name) == level)
        #expect(LogLevelName.name(level) == name.uppercased())
    }
}
