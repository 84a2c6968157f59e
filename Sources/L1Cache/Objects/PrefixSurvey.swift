// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which cells of a prompt the first tier has, each held until `releaseHolds`.
package struct PrefixSurvey: Sendable {
    package enum Cell: Sendable, Equatable {
        case absent
        /// Somebody is writing it.
        case staged
        case resident
    }

    /// By row, then chunk; rows are group-major and rank-minor.
    package internal(set) var cells: [Cell]
    /// One hold on each resident cell.
    package internal(set) var holds: [ObjectHandle] = []

    init(rows: Int, chunks: Int) {
        self.cells = Array(repeating: .absent, count: rows * chunks)
    }
}
