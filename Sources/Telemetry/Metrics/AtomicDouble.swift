// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A double that any thread reads and changes without a lock.
final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double {
        get { Double(bitPattern: self.bits.load(ordering: .relaxed)) }
        set { self.bits.store(newValue.bitPattern, ordering: .relaxed) }
    }

    func add(_ amount: Double) {
        var seen = self.bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: seen) + amount).bitPattern
            let (exchanged, original) = self.bits.weakCompareExchange(
                expected: seen,
                desired: next,
                ordering: .relaxed
            )
            if exchanged { return }
            seen = original
        }
    }
}
