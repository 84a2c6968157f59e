// lmcache · SPDX-License-Identifier: Apache-2.0

/// The labels that tell one series of a metric from another, ordered by name.
package struct MetricLabels: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// One label.
    package struct Label: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    package let labels: [Label]

    /// No label at all.
    package static let none = MetricLabels([])
    /// What a series is labelled with that gathers everything beyond a metric's limit of label sets.
    package static let overflow: MetricLabels = ["otel_metric_overflow": "true"]
    /// Label values are cut to this many bytes, because some come from peers.
    static let maximumValueBytes = 512

    /// Takes (name, value) pairs in any order; of two with one name the last wins.
    package init(_ pairs: [(String, String)]) {
        var values: [String: String] = [:]
        for (name, value) in pairs { values[MetricNames.label(name)] = Self.bounded(value) }
        self.labels = values.map { Label(name: $0.key, value: $0.value) }.sorted { $0.name < $1.name }
    }

    package init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }

    private static func bounded(_ value: String) -> String {
        guard value.utf8.count > Self.maximumValueBytes else { return value }
        return String(decoding: value.utf8.prefix(Self.maximumValueBytes), as: UTF8.self)
    }
}
