// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Finds series by what a caller knows of an event, without making label text again for what was seen before.
///
/// Any thread; one short lock. Beyond `limit` keys every new one gets the same overflow series, which bounds memory.
final class SeriesTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var values: [Key: Value] = [:]
        var overflow: Value?
    }

    private let state = Mutex(State())
    private let limit: Int
    private let make: @Sendable (Key) -> Value
    private let makeOverflow: @Sendable () -> Value

    /// `make` and `makeOverflow` run under the table's lock.
    init(
        limit: Int = MetricFamily.maximumSeries / 2,
        make: @escaping @Sendable (Key) -> Value,
        overflow makeOverflow: @escaping @Sendable () -> Value
    ) {
        self.limit = limit
        self.make = make
        self.makeOverflow = makeOverflow
    }

    subscript(key: Key) -> Value {
        self.state.withLock { state in
            if let value = state.values[key] { return value }
            if state.values.count >= self.limit {
                if let overflow = state.overflow { return overflow }
                let value = self.makeOverflow()
                state.overflow = value
                return value
            }
            let value = self.make(key)
            state.values[key] = value
            return value
        }
    }
}
