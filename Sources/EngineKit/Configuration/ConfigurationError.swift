// lmcache · SPDX-License-Identifier: Apache-2.0

/// A setting that cannot be used: which, what was given and what is accepted, in one line.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The flag as it is typed (`--port`), or the environment variable.
    package let setting: String
    /// The given value; nil when the setting is required and missing.
    package let given: String?
    /// What would have been accepted, as a phrase that follows "accepted is".
    package let accepted: String
    /// Why a value that LMCache knows is refused here.
    package let reason: String?

    /// Describes one refused or missing setting.
    package init(setting: String, given: String?, accepted: String, reason: String? = nil) {
        self.setting = setting
        self.given = given
        self.accepted = accepted
        self.reason = reason
    }

    package var description: String {
        let end = "accepted is \(self.accepted)" + (self.reason.map { " (\($0))" } ?? "")
        guard let given else { return "Missing value for '\(self.setting)': \(end)" }
        return "The value '\(Self.printable(given))' is invalid for '\(self.setting)': \(end)"
    }

    /// `text` on one line and of bearable length: control characters are escaped, a long tail is cut.
    package static func printable(_ text: String, limit: Int = 200) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if result.utf8.count >= limit { return result + "…" }
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .format, .surrogate, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
