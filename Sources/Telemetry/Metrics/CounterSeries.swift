// lmcache · SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// One series of whole numbers that only grow.
///
/// Any thread, no lock.
package final class CounterSeries: CounterHandler {
    private let count = Atomic<Int64>(0)

    init() {}

    /// Adds `amount`; a negative amount is ignored.
    package func increment(by amount: Int64) {
        guard amount > 0 else { return }
        self.count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Adds `amount`; a negative amount is ignored.
    package func increment(by amount: Int = 1) { self.increment(by: Int64(amount)) }

    package func reset() { self.count.store(0, ordering: .relaxed) }

    package var value: Int64 { self.count.load(ordering: .relaxed) }
}

/// One series of fractional numbers that only grow.
///
/// Any thread, no lock.
package final class FloatingPointCounterSeries: FloatingPointCounterHandler {
    private let total = AtomicDouble()

    init() {}

    /// Adds `amount`; a negative amount or not-a-number is ignored.
    package func increment(by amount: Double) {
        guard amount > 0 else { return }
        self.total.add(amount)
    }

    package func reset() { self.total.value = 0 }

    package var value: Double { self.total.value }
}
