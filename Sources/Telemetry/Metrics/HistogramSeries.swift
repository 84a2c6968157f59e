// lmcache · SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// One series of observations counted in buckets.
///
/// Any thread; a lock is held for a few additions.
package final class HistogramSeries: RecorderHandler, TimerHandler {
    /// The state at one instant.
    package struct Snapshot: Sendable, Equatable {
        /// Observations for each bound, then those above the last bound; not cumulative.
        package fileprivate(set) var counts: [UInt64]
        package fileprivate(set) var sum: Double
        package var count: UInt64 { self.counts.reduce(0, &+) }
    }

    /// Upper bounds in rising order, +Inf left out.
    package let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(bounds: [Double]) {
        self.bounds = bounds
        self.state = Mutex(Snapshot(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    /// Counts one observation; not-a-number is ignored.
    package func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.state.withLock { state in
            state.counts[bucket] &+= 1
            state.sum += value
        }
    }

    package func record(_ value: Int64) { self.record(Double(value)) }

    /// Counts a duration, in seconds.
    package func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }

    package var snapshot: Snapshot { self.state.withLock { $0 } }
}
