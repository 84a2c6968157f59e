// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// A benchmark's figures under the names that LMCache's own `bench l2` uses.
enum BenchmarkReport {
    static func make(adapterJSON: String, plan: BenchmarkPlan, figures: [OperationFigures]) -> Report {
        var report = Report(title: "L2 Adapter Benchmark Result", width: 64)
        report.add(Self.configuration(adapterJSON: adapterJSON, plan: plan))
        for (position, figures) in figures.enumerated() {
            report.add(Self.section(figures, key: "op_\(position)"))
        }
        return report
    }

    private static func configuration(adapterJSON: String, plan: BenchmarkPlan) -> Report.Section {
        var section = Report.Section(group: "config", label: "Configuration", isAlone: true)
        section.add("l2_adapter_json", "L2 adapter JSON", .string(adapterJSON))
        section.add("num_keys", "Keys / submit", .integer(plan.keysPerSubmit))
        section.add("in_flight", "In-flight / round", .integer(plan.inFlight))
        section.add("keys_per_round", "Keys / round", .integer(plan.keysPerRound))
        section.add("data_size_kb", "Data size / key (KB)", .integer(plan.objectKiB))
        section.add(
            "data_per_round_mb", "Data / round (MB)", .double(Double(plan.roundBytes) / 1_048_576))
        section.add("measurement_rounds", "Measurement rounds", .integer(plan.rounds))
        section.add("warmup_rounds", "Warmup rounds", .integer(plan.warmupRounds))
        section.add("lookup_max_hit_rate", "Lookup max hit rate", .double(plan.lookupHitRate))
        return section
    }

    private static func section(_ figures: OperationFigures, key: String) -> Report.Section {
        var section = Report.Section(group: key, label: figures.operation.title, isAlone: true)
        section.add("operation", "Operation", .string(figures.operation.title))
        section.add("rounds", "Rounds", .integer(figures.rounds))
        section.add("rounds_timed_out", "Rounds timed out", .integer(figures.timedOutRounds))
        section.add("keys_per_round", "Keys / round", .integer(figures.keysPerRound))
        section.add("total_keys", "Total keys", .integer(figures.totalKeys))
        section.add("total_success", "Total success", .integer(figures.successes))
        let numbers: [(String, String, Double, Int)] = [
            ("duration_avg_ms", "Duration avg (ms)", figures.average, 2),
            ("duration_min_ms", "Duration min (ms)", figures.least, 2),
            ("duration_max_ms", "Duration max (ms)", figures.most, 2),
            ("duration_p50_ms", "Duration p50 (ms)", figures.percentile(0.5), 2),
            ("duration_p99_ms", "Duration p99 (ms)", figures.percentile(0.99), 2),
            ("duration_std_ms", "Duration std (ms)", figures.deviation, 2),
            ("throughput_avg_mbps", "Throughput avg (MB/s)", figures.throughput(milliseconds: figures.average), 2),
            ("throughput_min_mbps", "Throughput min (MB/s)", figures.throughput(milliseconds: figures.most), 2),
            ("throughput_max_mbps", "Throughput max (MB/s)", figures.throughput(milliseconds: figures.least), 2),
            ("ops_per_sec_avg", "Avg ops/s", figures.keysPerSecond, 2),
            ("latency_per_key_ms", "Avg latency / key (ms)", figures.millisecondsPerKey, 3),
        ]
        for (key, label, value, decimals) in numbers {
            section.add(key, label, .double(Decimals.rounded(value, decimals)))
        }
        return section
    }
}
