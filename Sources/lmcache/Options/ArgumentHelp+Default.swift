// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser

extension ArgumentHelp {
    /// Help of a value that is read by a transform, for which ArgumentParser shows no default of its own.
    static func given(_ text: String, _ valueName: String, default value: Any? = nil) -> ArgumentHelp {
        let shown = value.map { " (default: \($0))" } ?? ""
        return ArgumentHelp(stringLiteral: text + shown).named(valueName)
    }

    private func named(_ valueName: String) -> ArgumentHelp {
        var help = self
        help.valueName = valueName
        return help
    }
}
