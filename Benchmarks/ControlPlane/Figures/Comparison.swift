// lmcache · SPDX-License-Identifier: Apache-2.0

/// Both servers' figures, row by row.
struct Comparison {
    var original: ServerFigures?
    var ours: ServerFigures?
    var copies: CopyFigures?

    var rows: [ComparisonRow] { self.serverRows + self.copyRows }

    private var serverRows: [ComparisonRow] {
        guard self.original != nil || self.ours != nil else { return [] }
        return [
            self.latency("lookup and wait, 32,768 tokens, hit, p50", \.hit, 50, .atMostShare(of: 15)),
            self.latency("the same, p99", \.hit, 99),
            self.latency("lookup, wait and end of session, 32,768 tokens, hit, p50", \.hitSession, 50),
            self.latency("lookup and wait, 32,768 tokens, miss, p50", \.miss, 50),
            self.latency("the same, p99", \.miss, 99),
            self.latency("noop, p50", \.noop, 50),
            self.latency("ping alone, p50", \.ping, 50),
            self.latency("the same, p99", \.ping, 99),
            self.latency("ping while 8 clients look up 4,096 tokens, p50", \.pingUnderLoad, 50, .atMostShare(of: 30)),
            self.latency("the same, p99", \.pingUnderLoad, 99),
            ComparisonRow(
                "lookups per second of those 8 clients", unit: .perSecond, original: self.original?.lookupsPerSecond,
                ours: self.ours?.lookupsPerSecond, target: .atLeastTimes(10)),
            ComparisonRow(
                "memory beside the pool, idle", unit: .megabytes, original: Self.megabytes(self.original?.idleBytes),
                ours: Self.megabytes(self.ours?.idleBytes)),
            self.filledRow,
            self.latency("process start to serving (pool: ours 20 GB, LMCache 1 GB)", \.starts, 50, .atMost(300)),
        ]
    }

    private var filledRow: ComparisonRow {
        let counts = [self.original?.filled?.objectCount, self.ours?.filled?.objectCount].compactMap { $0 }
        let texts = Set(counts).sorted().map(grouped)
        return ComparisonRow(
            "memory beside the pool, " + (texts.isEmpty ? "filled" : texts.joined(separator: " and ") + " objects"),
            unit: .megabytes, original: Self.megabytes(self.original?.filled?.bytes),
            ours: Self.megabytes(self.ours?.filled?.bytes), target: .atMost(60))
    }

    private var copyRows: [ComparisonRow] {
        guard let copies else { return [] }
        func row(_ name: String, _ series: LatencySeries, _ pick: (LatencySeries) -> Duration?) -> ComparisonRow {
            func speed(_ series: LatencySeries) -> Double? {
                pick(series).map { Double(copies.byteCount) / ($0 / .nanoseconds(1)) }
            }
            return ComparisonRow(
                name, unit: .gigabytesPerSecond, original: speed(copies.plain), ours: speed(series),
                target: .atLeastTimes(0.8))
        }
        return [
            row("gather of a 256-token chunk, median (left: memcpy)", copies.gather, \.median),
            row("the same, best", copies.gather, \.smallest),
            row("scatter of a 256-token chunk, median (left: memcpy)", copies.scatter, \.median),
            row("the same, best", copies.scatter, \.smallest),
        ]
    }

    private func latency(
        _ name: String, _ series: KeyPath<ServerFigures, LatencySeries>, _ percent: Int, _ target: Target? = nil
    ) -> ComparisonRow {
        let milliseconds = { (figures: ServerFigures?) in
            figures?[keyPath: series].percentile(percent).map { $0 / .milliseconds(1) }
        }
        return ComparisonRow(
            name, unit: .milliseconds, original: milliseconds(self.original), ours: milliseconds(self.ours),
            target: target)
    }

    private static func megabytes(_ bytes: Int?) -> Double? { bytes.map { Double($0) / 1e6 } }
}
