// lmcache · SPDX-License-Identifier: Apache-2.0

/// How much an adapter works on at once.
package struct L2Limits: Sendable, Equatable {
    /// Threads that make the medium's calls.
    package var workers: Int
    /// Most items queued or running.
    package var items: Int
    /// Most bytes of buffers queued or running.
    package var bytes: Int

    /// - Precondition: All are positive.
    package init(workers: Int = 4, items: Int = 65_536, bytes: Int = 16 << 30) {
        precondition(workers > 0 && items > 0 && bytes > 0, "an adapter that may do nothing")
        self.workers = workers
        self.items = items
        self.bytes = bytes
    }
}
