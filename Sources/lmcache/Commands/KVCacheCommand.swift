// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// `lmcache kvcache`.
struct KVCacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvcache",
        abstract: "Change the state of a running cache server.",
        subcommands: [ClearCommand.self]
    )
}

/// `lmcache kvcache clear`.
struct ClearCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Remove everything from the pool that nobody reads right now."
    )

    @Option(help: "HTTP URL of the server, for example http://localhost:8080; required.")
    var url: String?

    @OptionGroup(title: "Report") var report: ReportOptions

    func validate() throws {
        if self.url == nil { throw ValidationError("Missing value for '--url': accepted is http://HOST:PORT") }
    }

    func execute(_ context: CommandContext) -> ExitStatus {
        Banner.print(context)
        do {
            let url = try HTTPURL(self.url ?? "")
            _ = try HTTPExchange.json(url, path: "/cache/clear", body: #"{"tier":"l1"}"#)
        } catch {
            context.fail(error.description)
            return .failure
        }
        var report = Report(title: "KV Cache Clear", width: 48)
        report.add("status", "Status", .string("OK"))
        return self.report.emit(report, context)
    }
}
