// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Testing

@testable import lmcache

/// Help texts, compared with files under Snapshots; `LMCACHE_RECORD_SNAPSHOTS=1` writes them anew.
struct HelpSnapshotTests {
    static let commands: [(name: String, command: any ParsableCommand.Type)] = [
        ("lmcache", LMCacheCommand.self), ("server", ServerCommand.self), ("ping", PingCommand.self),
        ("describe", DescribeCommand.self), ("kvcache", KVCacheCommand.self), ("kvcache-clear", ClearCommand.self),
        ("version", VersionCommand.self), ("bench", BenchCommand.self), ("bench-l2", SecondTierBenchCommand.self),
    ]

    @Test(arguments: Self.commands.map(\.name))
    func helpIsAsRecorded(name: String) throws {
        let command = try #require(Self.commands.first { $0.name == name }?.command)
        let help = LMCacheCommand.helpMessage(for: command, columns: 100) + "\n"
        let path = Self.folder + "/\(name).txt"
        if ProcessEnvironment.all()["LMCACHE_RECORD_SNAPSHOTS"] == "1" {
            #expect(FileWriter.write(help, path: path) == 0)
        }
        #expect(help == Self.contents(of: path))
    }

    @Test func everyCommandHasASnapshot() {
        func names(_ tree: CommandTree, _ path: [String]) -> [String] {
            [(path + [tree.name]).joined(separator: "-")]
                + tree.subcommands.filter { $0.name != "help" }.flatMap {
                    names($0, path.isEmpty && tree.name == "lmcache" ? [] : path + [tree.name])
                }
        }
        let all = CommandTree(LMCacheCommand.self).map { names($0, []) } ?? []
        #expect(Set(all) == Set(Self.commands.map(\.name)))
    }

    @Test func helpGoesToStandardOutputAndSucceeds() {
        for arguments in [["--help"], ["server", "--help"], ["ping", "-h"], ["help", "describe"]] {
            let run = CapturedRun(arguments)
            #expect(run.status == .success)
            #expect(run.output.contains("USAGE: lmcache"))
            #expect(run.error.isEmpty)
        }
    }

    @Test func noCommandShowsHelpAndFails() {
        for arguments in [[], ["kvcache"]] {
            let run = CapturedRun(arguments)
            #expect(run.status == .failure)
            #expect(run.output.contains("SUBCOMMANDS:"))
        }
    }

    @Test func versionIsPrinted() {
        for arguments in [["version"], ["--version"]] {
            let run = CapturedRun(arguments)
            #expect(run.status == .success)
            #expect(run.output == VersionCommand.text + "\n")
        }
    }

    private static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        .joined(separator: "/") + "/Snapshots"

    private static func contents(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
