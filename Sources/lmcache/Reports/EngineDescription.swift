// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `describe engine`: model, context length, health and load of an OpenAI-compatible engine.
enum EngineDescription {
    /// Asks `/v1/models`, `/health` and `/metrics`; only the first must answer.
    static func report(_ url: HTTPURL) throws(HTTPFailure) -> Report {
        let models = try HTTPExchange.json(url, path: "/v1/models")
        let health = try? HTTPExchange.get(url, path: "/health")
        let metrics = try? HTTPExchange.get(url, path: "/metrics")
        return Self.report(
            models: models,
            isHealthy: health?.status == 200,
            metrics: metrics?.status == 200 ? metrics?.text : nil
        )
    }

    /// The report of three answers.
    static func report(models: JSONValue, isHealthy: Bool, metrics: String?) -> Report {
        var first = JSONValue.null
        if case .array(let list)? = models["data"] { first = list.first ?? .null }
        var report = Report(title: "Inference Engine", width: 50)
        report.add("model", "Model", first["id"] ?? .null)
        report.add("max_context", "Max context (tokens)", first["max_model_len"] ?? .null)
        report.add("status", "Status", .string(isHealthy ? "OK" : "UNHEALTHY"))
        let running = metrics.flatMap { Self.sum(of: "vllm:num_requests_running", in: $0) }
        report.add("running_requests", "Running requests", running.map { .integer($0) } ?? .null)
        return report
    }

    /// Sum over all series of one metric in Prometheus text; nil when there is none.
    static func sum(of name: String, in exposition: String) -> Int? {
        var total: Double?
        for line in exposition.split(whereSeparator: \.isNewline) {
            guard line.hasPrefix(name), let after = line.dropFirst(name.count).first, after == "{" || after == " ",
                let end = line.lastIndex(where: { $0 == "}" || $0 == " " })
            else { continue }
            let rest = after == "{" ? line[(line.lastIndex(of: "}") ?? end)...].dropFirst() : line[end...]
            guard let value = rest.split(separator: " ").first.flatMap({ Double($0) }) else { continue }
            total = (total ?? 0) + value
        }
        return total.flatMap { Int(exactly: $0.rounded(.towardZero)) }
    }
}
