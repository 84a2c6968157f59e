// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
import Logging
import Telemetry

/// What turns validated settings into a server that is ready to run.
package struct ServerLaunch {
    /// With an instance id, also when none was given.
    package let configuration: ServerConfiguration
    private let environment: [String: String]

    /// Completes the settings.
    package init(configuration: ServerConfiguration, environment: [String: String]) {
        var configuration = configuration
        if configuration.requests.instanceID == nil {
            var generator = SystemRandomNumberGenerator()
            configuration.requests.instanceID = InstanceIdentity.random(using: &generator)
        }
        self.configuration = configuration
        self.environment = environment
    }

    /// Checks all addresses and sets up the log; starts nothing.
    package func server() throws(StartError) -> Server {
        let logs = self.logSystem()
        let parts = LiveParts(configuration: self.configuration, logs: logs)
        return try Server(configuration: self.configuration, parts: parts, log: logs.logger("lmcache.server"))
    }

    private func logSystem() -> LogSystem {
        let isTerminal = LogConfiguration.isStandardErrorTerminal
        var configuration = LogConfiguration(environment: self.environment, isTerminal: isTerminal)
        if self.configuration.observability.logFormat == .json { configuration.format.shape = .json }
        if !self.configuration.observability.isEventLoggingEnabled {
            configuration.level = max(configuration.level, .info)
        }
        return LogSystem(configuration: configuration)
    }
}
