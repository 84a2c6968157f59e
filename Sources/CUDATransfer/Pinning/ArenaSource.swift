// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer

/// The arena, and what its owner knows of its growth.
package struct ArenaSource: Sendable {
    package let view: ArenaView
    /// Bytes from the start that have memory behind them; only these may be touched.
    let committedByteCount: @Sendable () -> Int
    /// Asks the owner to commit the whole arena, in its own time.
    let commitAll: @Sendable () -> Void

    package init(
        view: ArenaView, committedByteCount: @escaping @Sendable () -> Int, commitAll: @escaping @Sendable () -> Void
    ) {
        self.view = view
        self.committedByteCount = committedByteCount
        self.commitAll = commitAll
    }
}
