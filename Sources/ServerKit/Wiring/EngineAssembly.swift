// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
package import Telemetry

/// Builds the cache behind the fronts from settings.
package enum EngineAssembly {
    /// Maps the pool and builds engine and service.
    ///
    /// Nothing listens yet.
    ///
    /// - Parameters:
    ///   - configuration: Validated, with an instance id.
    ///   - registry: Where the engine's metrics go.
    ///   - logs: Makes the loggers.
    ///   - userID: Names the pool's segment and the journal.
    package static func make(
        configuration: ServerConfiguration,
        registry: MetricsRegistry,
        logs: LogSystem,
        userID: UInt32
    ) throws(StartError) -> any EngineSide {
        throw .failed(part: "engine", reason: "this build has none")
    }
}
