// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct LogConfigurationTests {
    @Test func unknownLevelsMeanInfo() {
        #expect(LogConfiguration(environment: ["LMCACHE_LOG_LEVEL": "loud"], isTerminal: false).level == .info)
        #expect(LogConfiguration(environment: ["LMCACHE_LOG_LEVEL": "debug"], isTerminal: false).level == .debug)
        #expect(LogConfiguration(environment: [:], isTerminal: false).level == .info)
    }

    @Test(arguments: [
        ([:], false, false), ([:], true, true), (["NO_COLOR": "1"], true, false),
        (["LMCACHE_LOG_COLOR": "never"], true, false), (["LMCACHE_LOG_COLOR": "ALWAYS"], false, true),
        (["LMCACHE_LOG_COLOR": "1", "NO_COLOR": "1"], false, true), (["LMCACHE_LOG_COLOR": "odd"], false, false),
    ])
    func coloursGoToTerminalsOrWhereAskedFor(environment: [String: String], isTerminal: Bool, isColored: Bool) {
        let configuration = LogConfiguration(environment: environment, isTerminal: isTerminal)
        #expect(configuration.format == LogFormat(shape: .text, isColored: isColored))
    }

    @Test func jsonOnRequest() {
        let configuration = LogConfiguration(environment: ["LMCACHE_LOG_FORMAT": "JSON"], isTerminal: false)
        #expect(configuration.format.shape == .json)
    }
}
