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

    package init(cells: [Cell], holds: [ObjectHandle]) {
        self.cells = cells
        self.holds = holds
    }

    /// Nothing is there; no cells for a world of an impossible size.
    init(_ query: PrefixQuery) {
        let ranks = UInt8(exactly: query.worldSize).map(Int.init) ?? 0
        self.cells = Array(repeating: .absent, count: query.windows.count * ranks * query.hashes.count)
    }
}
