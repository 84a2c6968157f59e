// lmcache · SPDX-License-Identifier: Apache-2.0

/// Writes metrics in Prometheus' text format 0.0.4.
struct PrometheusText {
    private(set) var text = ""

    /// Appends HELP and TYPE lines and every series; values are read here.
    mutating func append(_ family: MetricFamily) {
        if let help = family.help { self.text += "# HELP \(family.name) \(Self.escapedHelp(help))\n" }
        self.text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for series in family.series { self.append(series, of: family.name) }
    }

    private mutating func append(_ series: MetricFamily.Series, of name: String) {
        switch series.source {
        case .counter(let counter): self.line(name, series.labelText, Self.number(counter.value))
        case .floatingPointCounter(let counter): self.line(name, series.labelText, Self.number(counter.value))
        case .gauge(let gauge): self.line(name, series.labelText, Self.number(gauge.value))
        case .observed(let read): self.line(name, series.labelText, Self.number(read()))
        case .histogram(let histogram): self.append(histogram, series.labelText, of: name)
        }
    }

    private mutating func append(_ histogram: HistogramSeries, _ labels: String, of name: String) {
        let snapshot = histogram.snapshot
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bucket, count) in snapshot.counts.enumerated() {
            cumulative &+= count
            let bound = bucket < histogram.bounds.count ? Self.number(histogram.bounds[bucket]) : "+Inf"
            self.line(name + "_bucket", "\(prefix)le=\"\(bound)\"", "\(cumulative).0")
        }
        self.line(name + "_sum", labels, Self.number(snapshot.sum))
        self.line(name + "_count", labels, "\(cumulative).0")
    }

    private mutating func line(_ name: String, _ labels: String, _ value: String) {
        self.text += name
        if !labels.isEmpty { self.text += "{\(labels)}" }
        self.text += " "
        self.text += value
        self.text += "\n"
    }

    /// Whole numbers carry `.0`, as LMCache's do, so that what greps its lines finds ours.
    static func number(_ value: Int64) -> String { "\(value).0" }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value.description
    }

    /// `name="value"` pairs, joined by commas.
    static func labels(_ labels: MetricLabels) -> String {
        labels.labels.map { "\($0.name)=\"\(Self.escapedLabel($0.value))\"" }.joined(separator: ",")
    }

    private static func escapedLabel(_ value: String) -> String {
        Self.escaped(value, quotes: true)
    }

    private static func escapedHelp(_ help: String) -> String {
        Self.escaped(help, quotes: false)
    }

    private static func escaped(_ value: String, quotes: Bool) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
