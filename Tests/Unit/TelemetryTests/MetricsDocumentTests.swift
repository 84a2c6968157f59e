// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Telemetry
import Testing

/// docs/metrics.md against the code.
@Suite struct MetricsDocumentTests {
    private struct Row: Equatable, CustomStringConvertible {
        let name: String
        let type: String
        let unit: String
        let labels: Set<String>

        var description: String { "\(self.name) \(self.type) \(self.unit) \(self.labels.sorted())" }
    }

    @Test func everyMetricIsDocumentedWithItsTypeUnitAndLabels() throws {
        let documented = try Self.documentedRows()
        let coded = (CacheMetrics.catalogue + ProcessMetrics.catalogue).map {
            Row(name: $0.name, type: Self.type($0), unit: $0.unit, labels: Set($0.labelNames))
        }
        #expect(documented.count == Set(documented.map(\.name)).count)
        for row in coded { #expect(documented.contains(row), "\(row) is not in docs/metrics.md") }
        for row in documented { #expect(coded.contains(row), "\(row) is only in docs/metrics.md") }
    }

    @Test func everyDocumentedMetricIsExposedFromTheStart() throws {
        let registry = MetricsRegistry()
        _ = CacheMetrics(registry: registry)
        ProcessMetrics.register(in: registry, instanceID: "i")
        let text = registry.exposition()
        for row in try Self.documentedRows() {
            let kind = row.type.split(separator: ",").first ?? ""
            #expect(text.contains("# TYPE \(row.name) \(kind)\n"))
            #expect(text.contains("# HELP \(row.name) "))
        }
    }

    private static func type(_ description: MetricDescription) -> String {
        guard description.kind == .histogram else { return description.kind.rawValue }
        switch description.buckets {
        case HistogramBuckets.lifetime: return "histogram, LC"
        case HistogramBuckets.lifetimeToFiveMinutes: return "histogram, LC to 300"
        default: return "histogram"
        }
    }

    private static func documentedRows() throws -> [Row] {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let text = try #require(Self.contents("/\(root)/docs/metrics.md"))
        return text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            let cells = line.split(separator: "|").map { $0.filter { $0 != "`" } }.map { cell in
                String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            let labels = cells[3].split(whereSeparator: { ", –".contains($0) }).map(String.init)
            return Row(name: cells[0], type: cells[1], unit: cells[2], labels: Set(labels))
        }
    }

    private static func contents(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
