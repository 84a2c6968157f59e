// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

/// Makes the `fs` and `fs_native` adapters.
package enum FileSystemAdapter {
    /// The `type` values of the configuration.
    package static let types = FileSystemConfiguration.Kind.allCases.map(\.rawValue)

    /// Opens the directory and starts the threads.
    ///
    /// - Throws: When the directory can be neither made nor read.
    package static func start(
        _ configuration: FileSystemConfiguration, clock: any L2Clock = MonotonicL2Clock(),
        calls: any FileCalls = SystemFileCalls()
    ) throws(FileCallError) -> ThreadedL2Adapter {
        let medium = try FileMedium(configuration, calls: calls)
        return ThreadedL2Adapter(
            kind: configuration.kind.rawValue, medium: medium, limits: L2Limits(workers: configuration.workers),
            clock: clock)
    }
}
