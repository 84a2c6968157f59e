// lmcache · SPDX-License-Identifier: Apache-2.0

/// A medium that works on many items in one exchange, such as a server that takes commands one behind another.
package protocol L2PipelinedMedium: L2Medium {
    /// Most items, and most bytes of buffers, of one exchange. A single item may have more bytes.
    var exchangeLimits: (items: Int, bytes: Int) { get }

    /// How many items of an operation one thread takes at once, of `workers` that there are. At least 1.
    func exchangeItems(of operation: L2Operation, workers: Int) -> Int

    /// Does what some items of one task ask for; blocks until all of it is done or given up.
    ///
    /// - Parameters:
    ///   - deadline: When nobody waits for the answers any more, by the adapter's clock.
    ///   - report: Takes the result of the item with this index, each at most once. Items without one fail as
    ///     unavailable.
    func perform(_ operation: L2Operation, deadline: L2Instant?, report: (Int, L2Result) -> Void)
}

extension L2PipelinedMedium {
    /// Even shares, so that every thread has something to do.
    package func exchangeItems(of operation: L2Operation, workers: Int) -> Int {
        min(max(1, self.exchangeLimits.items), (operation.count + workers - 1) / workers)
    }
}
