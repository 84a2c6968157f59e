// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage
package import Logging

/// What an adapter is started with beside its own keys.
package struct AdapterSurroundings: Sendable {
    package var clock: any L2Clock
    /// Of objects in the pool, in bytes; what padded files are a multiple of.
    package var alignment: Int
    /// Gets a line when a server goes away and when it is back.
    package var log: L2Log

    package init(clock: any L2Clock = MonotonicL2Clock(), alignment: Int = 4096, log: L2Log = .none) {
        self.clock = clock
        self.alignment = alignment
        self.log = log
    }

    /// With the system's clock, and lines that go to a log as warnings.
    package init(alignment: Int, logger: Logger) {
        self.init(alignment: alignment, log: L2Log { logger.warning("second tier: \($0)") })
    }
}

/// An adapter whose keys have been checked and that is not started yet.
package struct AdapterPlan: Sendable {
    package let configuration: L2AdapterConfiguration
    /// Opens the medium. Throws one line that says why it cannot be.
    package let start: @Sendable (AdapterSurroundings) throws(AdapterStartError) -> any L2Adapter

    package init(
        configuration: L2AdapterConfiguration,
        start: @escaping @Sendable (AdapterSurroundings) throws(AdapterStartError) -> any L2Adapter
    ) {
        self.configuration = configuration
        self.start = start
    }
}

/// Why a medium cannot be opened.
package struct AdapterStartError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// One `type` of `--l2-adapter`: checks its keys.
struct AdapterKind: Sendable {
    let type: String
    let plan: @Sendable (L2AdapterConfiguration) throws(L2ConfigurationError) -> AdapterPlan
}
