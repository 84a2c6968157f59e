// lmcache · SPDX-License-Identifier: Apache-2.0

/// The keys of the `mock` adapter, which keeps objects in this process's memory.
package struct MemoryConfiguration: Sendable, Equatable {
    package let capacityBytes: Int
    /// Bytes a second that the original's mock pretends to move. Accepted; ours does not pretend.
    package let bandwidthBytes: Int

    package init(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) {
        var options = configuration.options
        guard let capacity = try options.gigabytes("max_size_gb") else {
            throw L2ConfigurationError("\(options.context): 'max_size_gb' is missing; accepted is a positive number")
        }
        self.capacityBytes = capacity
        self.bandwidthBytes = try options.gigabytes("mock_bandwidth_gb") ?? 0
        try options.finish()
    }
}
