// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The counters of a server behind a lock.
///
/// Any thread.
final class RouterCounters: Sendable {
    private let statistics = Mutex(RouterStatistics())

    var snapshot: RouterStatistics { self.statistics.withLock { $0 } }

    func update(_ change: (inout RouterStatistics) -> Void) {
        self.statistics.withLock { change(&$0) }
    }
}
