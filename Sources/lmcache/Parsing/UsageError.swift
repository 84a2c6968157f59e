// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit

/// An argument that cannot be understood: one line that names it and says what is accepted.
struct UsageError: Error, Equatable, CustomStringConvertible {
    let description: String

    /// A flag that the command does not have.
    static func unknownFlag(_ given: String, command: String, known: [String]) -> UsageError {
        UsageError(
            description: "Unknown flag '\(ConfigurationError.printable(given))'\(Self.suggestion(given, known)):"
                + " accepted are the flags that '\(command) --help' lists"
        )
    }

    /// A prefix of several flags.
    static func ambiguousFlag(_ given: String, candidates: [String]) -> UsageError {
        UsageError(
            description: "The flag '\(given)' is ambiguous: accepted is one of "
                + candidates.map { "'\($0)'" }.joined(separator: ", ")
        )
    }

    /// A flag at the end, or before another flag, that needs a value.
    static func missingValue(_ flag: String, valueName: String) -> UsageError {
        UsageError(description: "Missing value for '\(flag)': accepted is one <\(valueName)>")
    }

    /// `--flag=value` for a flag without value.
    static func unexpectedValue(_ flag: String, given: String) -> UsageError {
        UsageError(
            description: "The value '\(ConfigurationError.printable(given))' is invalid for '\(flag)':"
                + " accepted is the flag without a value"
        )
    }

    /// A word where a command was expected.
    static func unknownCommand(_ given: String, under path: String, known: [String]) -> UsageError {
        UsageError(
            description: "Unknown command '\(path) \(ConfigurationError.printable(given))'"
                + "\(Self.suggestion(given, known)): accepted is one of "
                + known.map { "'\($0)'" }.joined(separator: ", ")
        )
    }

    private static func suggestion(_ given: String, _ known: [String]) -> String {
        Suggestion.nearest(to: given, in: known).map { " (did you mean '\($0)'?)" } ?? ""
    }

    /// A word that no flag takes.
    static func unexpectedArgument(_ given: String, command: String) -> UsageError {
        UsageError(
            description: "Unexpected argument '\(ConfigurationError.printable(given))' for '\(command)':"
                + " accepted are flags only"
        )
    }
}
