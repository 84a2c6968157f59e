// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// A service that `ping` and `describe` know.
enum ServiceTarget: String, CaseIterable, ExpressibleByArgument {
    case kvcache, engine

    var defaultURL: String { self == .kvcache ? "http://localhost:8080" : "http://localhost:8000" }
}

/// `lmcache ping`.
struct PingCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Ask a cache server or an engine whether it is alive; exit 1 when not."
    )

    @Argument(help: "What to ping.")
    var target: ServiceTarget?

    @Option(help: "Server URL (default: http://localhost:8080 for kvcache, http://localhost:8000 for engine).")
    var url: String?

    @Option(
        name: .customLong("rpc-url"),
        help: "Ping the request server there instead, tcp://HOST:PORT or ipc://PATH."
    )
    var requestURL: String?

    @OptionGroup(title: "Report") var report: ReportOptions

    func validate() throws {
        if self.target == nil, self.requestURL == nil {
            throw ValidationError("Missing argument '<target>': accepted is kvcache or engine, or '--rpc-url'")
        }
        if self.requestURL != nil, self.url != nil || self.target == .engine {
            throw ValidationError("The flag '--rpc-url' is given: accepted is kvcache without '--url'")
        }
    }

    func execute(_ context: CommandContext) -> ExitStatus {
        Banner.print(context)
        let outcome: (title: String, result: ProbeResult)
        if let requestURL {
            outcome = ("Ping Request Server", RequestProbe.run(endpoint: requestURL))
        } else if self.target == .engine {
            outcome = ("Ping Engine", HTTPProbe.run(url: self.baseURL(.engine), path: "/health"))
        } else {
            outcome = ("Ping KV Cache", HTTPProbe.run(url: self.baseURL(.kvcache), path: "/healthcheck"))
        }
        var report = Report(title: outcome.title, width: 30)
        report.add("status", "Status", .string(outcome.result.failure == nil ? "OK" : "FAIL"))
        report.add("round_trip_time_ms", "Round trip time (ms)", .double(outcome.result.roundedMilliseconds))
        let status = self.report.emit(report, context)
        guard let failure = outcome.result.failure else { return status }
        context.fail(failure)
        return .failure
    }

    private func baseURL(_ target: ServiceTarget) -> String { self.url ?? target.defaultURL }
}
