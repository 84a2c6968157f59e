// lmcache · SPDX-License-Identifier: Apache-2.0

/// Latencies of one kind of request.
struct LatencySeries: Equatable {
    private var values: [Duration] = []

    init(_ values: [Duration] = []) { self.values = values }

    var count: Int { self.values.count }

    mutating func append(_ value: Duration) { self.values.append(value) }

    /// The value that `percent` per cent of the values do not exceed, or nil when there is none.
    ///
    /// Nearest rank: the smallest value with at least that share of the values at or below it.
    func percentile(_ percent: Int) -> Duration? {
        precondition((1...100).contains(percent), "per cent")
        guard !self.values.isEmpty else { return nil }
        let rank = (self.values.count * percent + 99) / 100
        return self.values.sorted()[rank - 1]
    }

    var median: Duration? { self.percentile(50) }
    var smallest: Duration? { self.values.min() }
}
