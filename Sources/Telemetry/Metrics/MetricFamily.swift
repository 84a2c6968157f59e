// lmcache · SPDX-License-Identifier: Apache-2.0

/// All series of one metric.
///
/// A value; the registry guards it.
struct MetricFamily: Sendable {
    /// Where a series' value comes from.
    enum Source: Sendable {
        case counter(CounterSeries)
        case floatingPointCounter(FloatingPointCounterSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)
        case observed(@Sendable () -> Double)
    }

    /// One line, or one block of lines, of the exposition.
    struct Series: Sendable {
        /// The labels as the exposition writes them, braces left out.
        let labelText: String
        var source: Source
    }

    /// Label sets above this share one series, because labels hold text from peers.
    static let maximumSeries = 2000

    let name: String
    let kind: MetricDescription.Kind
    /// Nil for metrics that were never described.
    let help: String?
    let buckets: [Double]
    private(set) var series: [Series] = []
    private var positions: [MetricLabels: Int] = [:]

    init(name: String, kind: MetricDescription.Kind, help: String?, buckets: [Double]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.buckets = buckets
    }

    /// The source of the series with `labels`, made when missing.
    mutating func source(_ labels: MetricLabels, make: () -> Source) -> Source {
        if let position = self.positions[labels] { return self.series[position].source }
        if self.series.count >= Self.maximumSeries, labels != .overflow { return self.source(.overflow, make: make) }
        let source = make()
        self.positions[labels] = self.series.count
        self.series.append(Series(labelText: PrometheusText.labels(labels), source: source))
        return source
    }

    /// Puts `source` in the place of the series with `labels`, whether there was one or not.
    mutating func replace(_ labels: MetricLabels, with source: Source) {
        if let position = self.positions[labels] {
            self.series[position].source = source
        } else {
            _ = self.source(labels) { source }
        }
    }

    /// Drops every series for which `isGone` holds.
    mutating func removeAll(where isGone: (Source) -> Bool) {
        let kept = self.positions.filter { !isGone(self.series[$0.value].source) }.sorted { $0.value < $1.value }
        guard kept.count < self.series.count else { return }
        self.series = kept.map { self.series[$0.value] }
        self.positions = [:]
        for (position, entry) in kept.enumerated() { self.positions[entry.key] = position }
    }
}
