// lmcache · SPDX-License-Identifier: Apache-2.0

/// Where an adapter says what its operator should know, such as a server that has gone away and that is back again.
package struct L2Log: Sendable {
    /// Takes one line; called on any thread, for changes only and not for every failure.
    package let note: @Sendable (String) -> Void

    package init(_ note: @escaping @Sendable (String) -> Void) { self.note = note }

    /// Drops everything.
    package static let none = L2Log { _ in }
}
