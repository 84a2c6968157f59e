// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// Flags about where and how a command reports.
struct ReportOptions: ParsableArguments {
    /// Shapes of a report.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case terminal, json
    }

    @Option(help: "Shape of the report.")
    var format = Format.terminal

    @Option(help: ArgumentHelp("Write the report to this file as well.", valueName: "path"))
    var output: String?

    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Nothing on standard output; only the exit code.")
    var isQuiet = false

    /// Shows a report.
    ///
    /// Fails when the file cannot be written.
    func emit(_ report: Report, _ context: CommandContext) -> ExitStatus {
        let text = self.format == .json ? report.jsonText : report.terminalText
        if !self.isQuiet { context.writeOutput(text) }
        guard let output else { return .success }
        let problem = FileWriter.write(text, path: output)
        guard problem != 0 else { return .success }
        context.fail("Cannot write '\(output)' of '--output': \(String(cString: strerror(problem)))")
        return .failure
    }
}
