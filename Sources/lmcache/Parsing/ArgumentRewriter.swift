// lmcache · SPDX-License-Identifier: Apache-2.0

/// Turns what people and manifests type into what ArgumentParser takes without surprises.
///
/// Prefixes of long flags are completed, values are joined to their flags (so that `-1` is a value), flags in front of
/// a subcommand are moved behind it. What is unknown is told here, with what was probably meant.
struct ArgumentRewriter {
    private let root: CommandTree
    private var node: CommandTree
    private var path: [String]
    /// Flags seen before the subcommand that they belong to.
    private var early: [String] = []
    private var output: [String] = []

    private init(_ root: CommandTree) {
        self.root = root
        self.node = root
        self.path = [root.name]
    }

    /// Rewrites the arguments after the program's name.
    static func rewrite(_ arguments: [String], for root: CommandTree) throws(UsageError) -> [String] {
        var rewriter = ArgumentRewriter(root)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" || rewriter.node.name == "help" {
                rewriter.output += [argument] + rest
                rest = []
            } else if argument.hasPrefix("--") {
                try rewriter.longFlag(argument, &rest)
            } else if Self.isFlag(argument) {
                try rewriter.shortFlag(argument, &rest)
            } else {
                try rewriter.word(argument)
            }
        }
        return rewriter.output + rewriter.early
    }

    private var command: String { self.path.joined(separator: " ") }

    private var isGroup: Bool { !self.node.subcommands.isEmpty }

    /// True for `-x` and `--x`, false for `-`, `-1` and `-0.5`.
    private static func isFlag(_ text: String) -> Bool {
        text.hasPrefix("-") && text.count > 1 && Double(text) == nil
    }

    private mutating func longFlag(_ argument: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        let equals = argument.firstIndex(of: "=")
        let given = String(argument[..<(equals ?? argument.endIndex)])
        let inline = equals.map { String(argument[argument.index(after: $0)...]) }
        let flag = try self.resolve(given)
        switch flag.arity {
        case .none:
            if let inline { throw .unexpectedValue(flag.spelling, given: inline) }
            self.emit([flag.spelling])
        case .one:
            self.emit(["\(flag.spelling)=\(try self.value(of: flag, inline, &rest))"])
        case .many:
            self.emit([flag.spelling, try self.value(of: flag, inline, &rest)])
            while inline == nil, let next = rest.first, !Self.isFlag(next) {
                self.emit([next])
                rest.removeFirst()
            }
        }
    }

    private mutating func shortFlag(_ argument: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        let known = self.node.reachableFlags
        guard let flag = known.first(where: { $0.spelling == argument }) else {
            throw .unknownFlag(argument, command: self.command, known: known.map(\.spelling))
        }
        self.emit([argument])
        if flag.arity == .one { self.emit([try self.value(of: flag, nil, &rest)]) }
    }

    private mutating func word(_ argument: String) throws(UsageError) {
        guard self.isGroup else {
            if !self.node.takesPositionals { throw .unexpectedArgument(argument, command: self.command) }
            self.output.append(argument)
            return
        }
        guard let next = self.node.subcommands.first(where: { $0.name == argument }) else {
            let known = self.node.subcommands.map(\.name).filter { $0 != "help" }
            throw .unknownCommand(argument, under: self.command, known: known)
        }
        self.node = next
        self.path.append(argument)
        self.output.append(argument)
    }

    private mutating func emit(_ arguments: [String]) {
        if self.isGroup { self.early += arguments } else { self.output += arguments }
    }

    /// The flag with this spelling, or the only one that starts with it.
    private func resolve(_ given: String) throws(UsageError) -> CommandTree.Flag {
        let known = self.node.reachableFlags.filter { $0.spelling.hasPrefix("--") }
        if let exact = known.first(where: { $0.spelling == given }) { return exact }
        let candidates = given.count > 2 ? known.filter { !$0.isHidden && $0.spelling.hasPrefix(given) } : []
        if candidates.count > 1 { throw .ambiguousFlag(given, candidates: candidates.map(\.spelling)) }
        guard let only = candidates.first else {
            throw .unknownFlag(given, command: self.command, known: known.filter { !$0.isHidden }.map(\.spelling))
        }
        return only
    }

    private func value(
        of flag: CommandTree.Flag,
        _ inline: String?,
        _ rest: inout ArraySlice<String>
    ) throws(UsageError) -> String {
        if let inline { return inline }
        guard let next = rest.first, !Self.isFlag(next) else {
            throw .missingValue(flag.spelling, valueName: flag.valueName)
        }
        rest.removeFirst()
        return next
    }
}
