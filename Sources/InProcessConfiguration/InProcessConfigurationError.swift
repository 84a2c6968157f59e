// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why a configuration document cannot be used, in one line that names the key, what was given and what is accepted.
package struct InProcessConfigurationError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
