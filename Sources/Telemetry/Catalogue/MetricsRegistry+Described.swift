// lmcache · SPDX-License-Identifier: Apache-2.0

extension MetricsRegistry {
    func counter(_ description: MetricDescription, labels: MetricLabels = .none) -> CounterSeries {
        self.counter(description.name, labels: labels)
    }

    func histogram(_ description: MetricDescription, labels: MetricLabels = .none) -> HistogramSeries {
        self.histogram(description.name, labels: labels)
    }

    func observeGauge(
        _ description: MetricDescription,
        labels: MetricLabels = .none,
        read: @escaping @Sendable () -> Double
    ) {
        self.observeGauge(description.name, labels: labels, read: read)
    }
}
