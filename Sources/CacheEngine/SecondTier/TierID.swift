// lmcache · SPDX-License-Identifier: Apache-2.0

/// One adapter behind the first tier, numbered in the order in which they were added and never reused.
package struct TierID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int

    package init(_ rawValue: Int) { self.rawValue = rawValue }

    package static func < (left: TierID, right: TierID) -> Bool { left.rawValue < right.rawValue }

    package var description: String { String(self.rawValue) }
}
