// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Telemetry

/// The root of all commands.
struct LMCacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lmcache",
        abstract: "KV cache server for LLM serving, and the tools around it.",
        version: VersionCommand.text,
        subcommands: [
            ServerCommand.self, PingCommand.self, DescribeCommand.self, KVCacheCommand.self,
            BenchCommand.self, VersionCommand.self,
        ]
    )
}

/// `lmcache version`.
struct VersionCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    static let text = "lmcache \(LMCacheVersion.current) (compatible with LMCache \(LMCacheVersion.compatibleWith))"

    func execute(_ context: CommandContext) -> ExitStatus {
        context.writeOutput(Self.text + "\n")
        return .success
    }
}
