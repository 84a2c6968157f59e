// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

/// Makes the `resp` and `valkey` adapters.
package enum RESPAdapter {
    /// The `type` values of the configuration.
    package static let types = RESPConfiguration.Kind.allCases.map(\.rawValue)
    /// The environment variables that matter.
    package static let variables = ["LMCACHE_RESP_USERNAME", "LMCACHE_RESP_PASSWORD"]

    /// Reads the configuration and starts the threads. No connection is made yet.
    ///
    /// - Parameter environment: Where user and password are looked for when the configuration has none.
    /// - Throws: Names the key, what was given and what is accepted.
    package static func make(
        configuration: L2AdapterConfiguration, environment: [String: String], clock: any L2Clock = MonotonicL2Clock(),
        log: L2Log = .none
    ) throws(L2ConfigurationError) -> ThreadedL2Adapter {
        Self.start(try RESPConfiguration(configuration, environment: environment), clock: clock, log: log)
    }

    /// Starts the threads.
    package static func start(
        _ configuration: RESPConfiguration, clock: any L2Clock = MonotonicL2Clock(), log: L2Log = .none
    ) -> ThreadedL2Adapter {
        ThreadedL2Adapter(
            kind: configuration.kind.rawValue, medium: RESPMedium(configuration, clock: clock, log: log),
            limits: L2Limits(workers: configuration.workers), clock: clock)
    }
}
