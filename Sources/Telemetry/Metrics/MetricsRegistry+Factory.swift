// lmcache · SPDX-License-Identifier: Apache-2.0

package import CoreMetrics

extension MetricsRegistry {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.counter(label, labels: MetricLabels(dimensions))
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.floatingPointCounter(label, labels: MetricLabels(dimensions))
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, labels: MetricLabels(dimensions))
    }

    /// A histogram when `aggregate`, else a gauge.
    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        let labels = MetricLabels(dimensions)
        return aggregate ? self.histogram(label, labels: labels) : self.gauge(label, labels: labels)
    }

    /// A histogram of seconds.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.histogram(label, labels: MetricLabels(dimensions))
    }

    package func destroyCounter(_ handler: any CounterHandler) { self.forget(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { self.forget(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { self.forget(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { self.forget(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { self.forget(handler) }

    private func forget(_ handler: AnyObject) {
        self.removeSeries { source in
            switch source {
            case .counter(let series): series === handler
            case .floatingPointCounter(let series): series === handler
            case .gauge(let series): series === handler
            case .histogram(let series): series === handler
            case .observed: false
            }
        }
    }
}
