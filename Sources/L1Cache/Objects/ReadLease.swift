// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a lookup found and keeps readable.
///
/// Owned by a session. The counts that keep objects live in the table: dropping a non-empty lease without releasing
/// what `takeAll` returns keeps the objects for ever.
package struct ReadLease: Sendable {
    /// Hit length in chunks; 0 for nothing.
    package let chunkCount: Int
    package let worldSize: Int
    private let retainedRanges: [Range<Int>]
    /// By group, then chunk, then rank.
    private var cells: [Cell]
    private var openCells: Int

    struct Cell: Sendable {
        var handle: ObjectHandle
        var shares: UInt32
    }

    /// A lease on nothing.
    package static let empty = ReadLease(chunkCount: 0, worldSize: 1, retainedRanges: [], cells: [])

    /// - Precondition: `cells` holds `worldSize` cells for each retained chunk of each group, each with a share.
    init(chunkCount: Int, worldSize: Int, retainedRanges: [Range<Int>], cells: [Cell]) {
        self.chunkCount = chunkCount
        self.worldSize = worldSize
        self.retainedRanges = retainedRanges
        self.cells = cells
        self.openCells = cells.count
    }

    package var groupCount: Int { self.retainedRanges.count }

    /// True when nothing is left to take.
    package var isEmpty: Bool { self.openCells == 0 }

    /// The chunks of a group that were leased; the others are not needed for this prefix.
    package func retained(group: Int) -> Range<Int> {
        self.retainedRanges.indices.contains(group) ? self.retainedRanges[group] : 0..<0
    }

    /// Takes one reader's share of a cell, or nil when it was never leased or all shares are taken.
    ///
    /// `isLast` is true for the last share: the cell's lease then belongs to the caller, who ends it.
    package mutating func takeShare(group: Int, rank: Int, chunk: Int) -> (handle: ObjectHandle, isLast: Bool)? {
        guard let position = self.position(group: group, rank: rank, chunk: chunk), self.cells[position].shares > 0
        else {
            return nil
        }
        self.cells[position].shares -= 1
        let isLast = self.cells[position].shares == 0
        if isLast { self.openCells -= 1 }
        return (self.cells[position].handle, isLast)
    }

    /// Empties the lease: every cell that still had shares, to be released.
    package mutating func takeAll() -> [ObjectHandle] {
        guard self.openCells > 0 else { return [] }
        var handles: [ObjectHandle] = []
        handles.reserveCapacity(self.openCells)
        for cell in self.cells where cell.shares > 0 { handles.append(cell.handle) }
        self.cells = []
        self.openCells = 0
        return handles
    }

    private func position(group: Int, rank: Int, chunk: Int) -> Int? {
        guard !self.cells.isEmpty else { return nil }
        return Self.position(
            group: group,
            rank: rank,
            chunk: chunk,
            retained: self.retainedRanges,
            worldSize: self.worldSize
        )
    }

    /// Where a cell lies among the cells, or nil when it is not retained.
    static func position(group: Int, rank: Int, chunk: Int, retained: [Range<Int>], worldSize: Int) -> Int? {
        guard retained.indices.contains(group), 0..<worldSize ~= rank, retained[group].contains(chunk) else {
            return nil
        }
        var chunksBefore = chunk - retained[group].lowerBound
        for earlier in retained[..<group] { chunksBefore += earlier.count }
        return chunksBefore * worldSize + rank
    }
}
