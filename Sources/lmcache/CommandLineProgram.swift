// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit
import Glibc

/// How the process ends.
struct ExitStatus: Hashable {
    let rawValue: Int32

    static let success = ExitStatus(rawValue: 0)
    static let failure = ExitStatus(rawValue: 1)
    static let usage = ExitStatus(rawValue: 2)
}

/// Where a command reads its surroundings from and writes to; tests put their own in place.
struct CommandContext {
    var environment: [String: String]
    var writeOutput: (String) -> Void
    var writeError: (String) -> Void

    /// The process's own.
    static var process: CommandContext {
        CommandContext(
            environment: ProcessEnvironment.all(),
            writeOutput: { FileWriter.write($0, to: STDOUT_FILENO) },
            writeError: { FileWriter.write($0, to: STDERR_FILENO) }
        )
    }

    /// One line on standard error that says why a command ends.
    func fail(_ message: String) {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.writeError("lmcache: \(line)\n")
    }
}

/// A command that does something, as opposed to a group of commands.
protocol ExecutableCommand: ParsableCommand {
    /// Does it; all output goes through `context`.
    func execute(_ context: CommandContext) -> ExitStatus
}

/// Parses and runs one command line.
struct CommandLineProgram {
    var context = CommandContext.process

    /// Runs the arguments after the program's name.
    func run(_ arguments: [String]) -> ExitStatus {
        do {
            guard let tree = CommandTree(LMCacheCommand.self) else {
                self.context.fail("The command line cannot be described; this is a bug")
                return .failure
            }
            var command = try LMCacheCommand.parseAsRoot(ArgumentRewriter.rewrite(arguments, for: tree))
            if let executable = command as? any ExecutableCommand { return executable.execute(self.context) }
            return try self.runGroup(&command)
        } catch let error as UsageError {
            self.context.fail(error.description)
            return .usage
        } catch {
            return self.finish(error)
        }
    }

    /// A group without a command prints help that nobody asked for, which is a failure; `help` itself is none.
    private func runGroup(_ command: inout any ParsableCommand) throws -> ExitStatus {
        let isGroup = !type(of: command).configuration.subcommands.isEmpty
        if isGroup {
            self.context.writeOutput(LMCacheCommand.helpMessage(for: type(of: command)) + "\n")
            return .failure
        }
        try command.run()
        return .success
    }

    /// Prints what ArgumentParser ended with: help and version on standard output, an error as one line.
    private func finish(_ error: any Error) -> ExitStatus {
        guard LMCacheCommand.exitCode(for: error) != .success else {
            self.context.writeOutput(LMCacheCommand.fullMessage(for: error) + "\n")
            return .success
        }
        let message = LMCacheCommand.message(for: error)
        self.context.fail(Self.reworded(message))
        return .usage
    }

    /// ArgumentParser's list of choices in the words of all other errors.
    static func reworded(_ message: String) -> String {
        guard let range = message.firstRange(of: ". Please provide one of ") else { return message }
        var end = message[range.upperBound...]
        if end.hasSuffix(".") { end = end.dropLast() }
        return message[..<range.lowerBound] + ": accepted is one of " + end
    }
}
