// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why an adapter's configuration cannot be used.
package struct L2ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// Names the key, what was given and what is accepted.
    package let description: String

    package init(_ description: String) { self.description = description }
}
