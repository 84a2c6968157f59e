// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// `lmcache describe`.
struct DescribeCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Show the state of a running cache server or engine."
    )

    @Argument(help: "What to describe.")
    var target: ServiceTarget?

    @Option(help: "Server URL (default: http://localhost:8080 for kvcache, http://localhost:8000 for engine).")
    var url: String?

    @OptionGroup(title: "Report") var report: ReportOptions

    func validate() throws {
        if self.target == nil { throw ValidationError("Missing argument '<target>': accepted is kvcache or engine") }
    }

    func execute(_ context: CommandContext) -> ExitStatus {
        Banner.print(context)
        do {
            let target = self.target ?? .kvcache
            let url = try HTTPURL(self.url ?? target.defaultURL)
            let report =
                switch target {
                case .kvcache: CacheDescription.report(try HTTPExchange.json(url, path: "/status"), url: url.text)
                case .engine: try EngineDescription.report(url)
                }
            return self.report.emit(report, context)
        } catch {
            context.fail(error.description)
            return .failure
        }
    }
}
