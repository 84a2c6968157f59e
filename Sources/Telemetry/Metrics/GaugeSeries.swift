// lmcache · SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// One series that goes up and down.
///
/// Any thread, no lock.
package final class GaugeSeries: MeterHandler, RecorderHandler {
    private let current = AtomicDouble()

    init() {}

    package func set(_ value: Int) { self.current.value = Double(value) }
    package func set(_ value: Int64) { self.current.value = Double(value) }
    package func set(_ value: Double) { self.current.value = value }
    package func increment(by amount: Double) { self.current.add(amount) }
    package func decrement(by amount: Double) { self.current.add(-amount) }
    package func record(_ value: Int64) { self.set(value) }
    package func record(_ value: Double) { self.set(value) }

    package var value: Double { self.current.value }
}
