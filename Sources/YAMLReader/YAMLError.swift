// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why a text is no YAML document that can be used.
package struct YAMLError: Error, Equatable, CustomStringConvertible {
    /// Counted from 1.
    package let line: Int
    package let reason: String

    package init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }

    package var description: String { "line \(self.line): \(self.reason)" }
}
