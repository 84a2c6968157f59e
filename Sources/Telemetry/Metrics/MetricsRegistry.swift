// lmcache · SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// Holds every metric of the process and writes them in Prometheus' text format.
///
/// Any thread. Its lock is held to find or add a series and to list them, never while values are read or text is made;
/// keep a series object where a value changes often. Also a swift-metrics factory, so that libraries can report here.
package final class MetricsRegistry: MetricsFactory, Sendable {
    private struct State {
        var families: [MetricFamily] = []
        var positions: [String: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Announces metrics, so that they are listed, with help and type, before they have a value.
    package func describe(_ descriptions: [MetricDescription]) {
        self.state.withLock { state in
            for description in descriptions where state.positions[description.name] == nil {
                state.positions[description.name] = state.families.count
                state.families.append(
                    MetricFamily(
                        name: description.name,
                        kind: description.kind,
                        help: description.help,
                        buckets: description.buckets
                    )
                )
            }
        }
    }

    /// The counter with these labels, at zero when new.
    package func counter(_ name: String, labels: MetricLabels = .none) -> CounterSeries {
        let source = self.source(name, .counter, labels) { _ in .counter(CounterSeries()) }
        if case .counter(let series) = source { return series }
        return CounterSeries()
    }

    /// The counter of fractional amounts with these labels, at zero when new.
    package func floatingPointCounter(_ name: String, labels: MetricLabels = .none) -> FloatingPointCounterSeries {
        let source = self.source(name, .counter, labels) { _ in .floatingPointCounter(FloatingPointCounterSeries()) }
        if case .floatingPointCounter(let series) = source { return series }
        return FloatingPointCounterSeries()
    }

    /// The gauge with these labels, at zero when new.
    package func gauge(_ name: String, labels: MetricLabels = .none) -> GaugeSeries {
        let source = self.source(name, .gauge, labels) { _ in .gauge(GaugeSeries()) }
        if case .gauge(let series) = source { return series }
        return GaugeSeries()
    }

    /// The histogram with these labels, empty when new; its buckets are the described ones, else OpenTelemetry's.
    package func histogram(_ name: String, labels: MetricLabels = .none) -> HistogramSeries {
        let source = self.source(name, .histogram, labels) { .histogram(HistogramSeries(bounds: $0)) }
        if case .histogram(let series) = source { return series }
        return HistogramSeries(bounds: HistogramBuckets.openTelemetryDefault)
    }

    /// A gauge whose value is read when it is scraped.
    ///
    /// A second call with the same labels takes the place of the first.
    ///
    /// `read` runs on the scraping thread, outside the registry's lock; it must not block for long.
    package func observeGauge(
        _ name: String,
        labels: MetricLabels = .none,
        read: @escaping @Sendable () -> Double
    ) {
        self.observe(name, .gauge, labels, read)
    }

    /// A counter that is kept elsewhere and read when it is scraped.
    ///
    /// `read` must never go down.
    package func observeCounter(
        _ name: String,
        labels: MetricLabels = .none,
        read: @escaping @Sendable () -> Double
    ) {
        self.observe(name, .counter, labels, read)
    }

    /// Every metric in Prometheus' text format 0.0.4.
    package func exposition() -> String {
        let families = self.state.withLock { $0.families }
        var text = PrometheusText()
        for family in families { text.append(family) }
        return text.text
    }

    /// Forgets the series that `isGone` names.
    func removeSeries(where isGone: (MetricFamily.Source) -> Bool) {
        self.state.withLock { state in
            for position in state.families.indices { state.families[position].removeAll(where: isGone) }
        }
    }

    private func observe(
        _ name: String,
        _ kind: MetricDescription.Kind,
        _ labels: MetricLabels,
        _ read: @escaping @Sendable () -> Double
    ) {
        self.state.withLock { state in
            guard let position = Self.position(of: name, kind, in: &state) else { return }
            state.families[position].replace(labels, with: .observed(read))
        }
    }

    private func source(
        _ name: String,
        _ kind: MetricDescription.Kind,
        _ labels: MetricLabels,
        make: ([Double]) -> MetricFamily.Source
    ) -> MetricFamily.Source? {
        self.state.withLock { state in
            guard let position = Self.position(of: name, kind, in: &state) else { return nil }
            let buckets = state.families[position].buckets
            return state.families[position].source(labels) { make(buckets) }
        }
    }

    /// Nil when the name is taken by a metric of another type; such a series counts, but is not shown.
    private static func position(
        of name: String,
        _ kind: MetricDescription.Kind,
        in state: inout State
    ) -> Int? {
        let name = MetricNames.metric(name)
        if let position = state.positions[name] { return state.families[position].kind == kind ? position : nil }
        state.positions[name] = state.families.count
        state.families.append(
            MetricFamily(name: name, kind: kind, help: nil, buckets: HistogramBuckets.openTelemetryDefault)
        )
        return state.families.count - 1
    }
}
