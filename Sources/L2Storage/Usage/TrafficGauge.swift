// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Whether a medium is being used, for what shall stand back. Any thread.
package final class TrafficGauge: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package var isBusy: Bool { self.count.load(ordering: .relaxed) > 0 }

    package func enter() { self.count.add(1, ordering: .relaxed) }

    package func leave() { self.count.subtract(1, ordering: .relaxed) }
}
