// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Where the objects of one prompt can be had, cell by cell, and which of them a prefix needs.
///
/// A row is one object group of one rank, group-major; a cell is one chunk of one row, numbered row by row.
package struct PrefetchGrid: Sendable {
    package enum Cell: Sendable, Equatable {
        case absent
        /// Another prefetch is loading it.
        case awaited
        /// This prefetch is loading it.
        case loading
        case resident
    }

    /// What may be loaded.
    package enum Mode: Sendable, Equatable {
        /// What the longest servable prefix needs.
        case prefix
        /// Every chunk that all rows have.
        case everything
    }

    /// One object to load.
    package struct Load: Sendable, Equatable {
        package let cell: Int
        package let tier: TierID
        package let byteCount: Int
    }

    /// What shall be done for the longest prefix.
    package struct Plan: Sendable, Equatable {
        package var prefix = 0
        /// Every cell that is needed, wherever it is.
        package var needed: [Int] = []
        /// In order of their cells.
        package var loads: [Load] = []
        /// True when another prefetch is loading something that is needed.
        package var awaits = false
    }

    package let windows: [PrefixWindow]
    package let chunkCount: Int
    package private(set) var cells: [Cell]
    private var isProbed: [Bool]
    /// By tier: the object's length there, 0 for none.
    private var offers: [TierID: [Int]] = [:]
    private var tiers: [TierID] = []

    /// - Parameter windows: One a row.
    package init(windows: [PrefixWindow], chunkCount: Int) {
        self.windows = windows
        self.chunkCount = chunkCount
        self.cells = Array(repeating: .absent, count: windows.count * chunkCount)
        self.isProbed = Array(repeating: false, count: windows.count * chunkCount)
    }

    package subscript(cell: Int) -> Cell {
        get { self.cells[cell] }
        set { self.cells[cell] = newValue }
    }

    /// Marks a cell about which the tiers need not be asked.
    package mutating func skipProbe(_ cell: Int) { self.isProbed[cell] = true }

    /// Cells that no tier was asked about, marked as asked from now on.
    package mutating func takeUnprobed() -> [Int] {
        let unprobed = self.cells.indices.filter { self.cells[$0] == .absent && !self.isProbed[$0] }
        for cell in unprobed { self.isProbed[cell] = true }
        return unprobed
    }

    /// Notes what a tier has: a length for each cell, 0 for none.
    package mutating func offer(_ tier: TierID, cells: [Int], lengths: [Int]) {
        if self.offers[tier] == nil {
            self.offers[tier] = Array(repeating: 0, count: self.cells.count)
            self.tiers = self.offers.keys.sorted()
        }
        for (cell, length) in zip(cells, lengths) where length > 0 { self.offers[tier]?[cell] = length }
    }

    /// A tier did not deliver what it had promised.
    package mutating func withdraw(_ tier: TierID, cell: Int) { self.offers[tier]?[cell] = 0 }

    /// Nothing can be loaded into this cell.
    package mutating func withdrawAll(cell: Int) {
        for tier in self.tiers { self.offers[tier]?[cell] = 0 }
    }

    package func plan(_ mode: Mode) -> Plan {
        var plan = Plan()
        switch mode {
        case .prefix:
            plan.prefix = self.longestPrefix()
            for (row, window) in self.windows.enumerated() {
                for chunk in window.needed(forPrefix: plan.prefix) { plan.needed.append(row * self.chunkCount + chunk) }
            }
        case .everything:
            let chunks = (0..<self.chunkCount).filter { chunk in
                self.windows.indices.allSatisfy { self.isAvailable($0 * self.chunkCount + chunk) }
            }
            plan.prefix = chunks.count
            for row in self.windows.indices { plan.needed += chunks.map { row * self.chunkCount + $0 } }
        }
        for cell in plan.needed {
            switch self.cells[cell] {
            case .resident, .loading: break
            case .awaited: plan.awaits = true
            case .absent: if let load = self.firstOffer(cell) { plan.loads.append(load) }
            }
        }
        return plan
    }

    private func longestPrefix() -> Int {
        var fold = PrefixFold(windows: self.windows)
        for chunk in 0..<self.chunkCount {
            fold.nextChunk { self.isAvailable($0 * self.chunkCount + chunk) }
            if fold.isDecided { break }
        }
        return fold.servable
    }

    private func isAvailable(_ cell: Int) -> Bool {
        self.cells[cell] != .absent || self.firstOffer(cell) != nil
    }

    /// The first tier that has it.
    private func firstOffer(_ cell: Int) -> Load? {
        for tier in self.tiers {
            if let length = self.offers[tier]?[cell], length > 0 {
                return Load(cell: cell, tier: tier, byteCount: length)
            }
        }
        return nil
    }
}
