// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials

/// The names that the parser knows, taken from the declarations themselves so that they cannot differ.
struct CommandTree: Equatable {
    /// How many values follow a flag.
    enum Arity: Equatable {
        case none, one, many
    }

    /// One spelling of one flag.
    struct Flag: Equatable {
        let spelling: String
        let arity: Arity
        let valueName: String
        let isHidden: Bool
    }

    let name: String
    let flags: [Flag]
    let takesPositionals: Bool
    let subcommands: [CommandTree]

    /// This command's flags, or for a group of commands those of all below.
    var reachableFlags: [Flag] {
        var seen = Set(self.flags.map(\.spelling))
        return self.flags
            + self.subcommands.flatMap(\.reachableFlags).filter { seen.insert($0.spelling).inserted }
    }

    /// Reads the tree of a root command; nil when the library's own description cannot be read.
    init?(_ command: (some ParsableCommand).Type) {
        let text = command._dumpHelp()
        guard let dump = try? JSONDecoder().decode(ToolDump.self, from: Data(text.utf8)) else { return nil }
        self.init(dump.command)
    }

    private init(_ dump: CommandDump) {
        self.name = dump.commandName
        self.flags = (dump.arguments ?? []).flatMap { argument in
            (argument.names ?? []).map { name in
                Flag(
                    spelling: (name.kind == "long" ? "--" : "-") + name.name,
                    arity: argument.arity,
                    valueName: argument.valueName ?? "value",
                    isHidden: !argument.shouldDisplay
                )
            }
        }
        self.takesPositionals = (dump.arguments ?? []).contains { $0.kind == "positional" }
        self.subcommands = (dump.subcommands ?? []).map(CommandTree.init)
    }
}

private struct ToolDump: Decodable {
    let command: CommandDump
}

private struct CommandDump: Decodable {
    let commandName: String
    let subcommands: [CommandDump]?
    let arguments: [ArgumentDump]?
}

private struct ArgumentDump: Decodable {
    struct Name: Decodable {
        let kind: String
        let name: String
    }

    let kind: String
    let names: [Name]?
    let valueName: String?
    let shouldDisplay: Bool
    let parsingStrategy: String

    var arity: CommandTree.Arity {
        if self.kind != "option" { return .none }
        return self.parsingStrategy == "upToNextOption" ? .many : .one
    }
}
