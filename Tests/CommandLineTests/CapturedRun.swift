// lmcache · SPDX-License-Identifier: Apache-2.0

@testable import lmcache

/// One run of the program inside the test, with what it wrote.
struct CapturedRun {
    let status: ExitStatus
    let output: String
    let error: String

    init(_ arguments: [String], environment: [String: String] = ["LMCACHE_DISABLE_BANNER": "1"]) {
        nonisolated(unsafe) var output = ""
        nonisolated(unsafe) var error = ""
        let context = CommandContext(
            environment: environment,
            writeOutput: { output += $0 },
            writeError: { error += $0 }
        )
        self.status = CommandLineProgram(context: context).run(arguments)
        self.output = output
        self.error = error
    }

    /// The line on standard error without the program's name; nil when there is not exactly one.
    var errorLine: String? {
        guard self.error.hasPrefix("lmcache: "), self.error.hasSuffix("\n") else { return nil }
        let line = self.error.dropFirst(9).dropLast()
        return line.contains("\n") ? nil : String(line)
    }
}
