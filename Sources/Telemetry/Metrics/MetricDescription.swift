// lmcache · SPDX-License-Identifier: Apache-2.0

/// What is known of a metric before its first value: its name, type, unit and meaning.
package struct MetricDescription: Sendable {
    /// How values of a metric behave.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// The exposed name, suffixes included.
    package let name: String
    package let kind: Kind
    /// The unit in the words of docs/metrics.md, for example `chunks` or `seconds`.
    package let unit: String
    /// Names of the labels that series carry.
    package let labelNames: [String]
    /// One sentence.
    package let help: String
    /// Upper bounds for histograms, +Inf left out.
    package let buckets: [Double]

    package init(
        _ name: String,
        _ kind: Kind,
        unit: String,
        labels: [String] = [],
        buckets: [Double] = HistogramBuckets.openTelemetryDefault,
        _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labelNames = labels
        self.help = help
        self.buckets = buckets
    }
}

/// Sets of histogram bounds that LMCache uses (upper bounds, +Inf left out).
package enum HistogramBuckets {
    /// The default of the OpenTelemetry SDK.
    package static let openTelemetryDefault: [Double] = [
        0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000,
    ]
    /// Lifetimes, from a second to four hours.
    package static let lifetime: [Double] = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400]
    /// Lifetimes that are capped at five minutes.
    package static let lifetimeToFiveMinutes: [Double] = [1, 5, 15, 30, 60, 120, 300]
}
