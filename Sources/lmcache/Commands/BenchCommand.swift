// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `lmcache bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure parts of the cache.",
        subcommands: [SecondTierBenchCommand.self]
    )
}
