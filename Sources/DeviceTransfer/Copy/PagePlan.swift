// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// The pieces to copy for one kernel group of one object.
///
/// Pure arithmetic: offsets relative to a tensor's first element and to the group's part of the object.
package struct PagePlan: Sendable {
    /// One piece. Without transposition it is one run of bytes on both sides.
    package struct Piece: Equatable, Sendable {
        /// Index into the registered tensors.
        package let tensor: Int
        /// In bytes, after the tensor's first element.
        package let pageOffset: Int
        /// In bytes, after the start of the group's part of the object.
        package let objectOffset: Int
        package let byteCount: Int
    }

    package let group: KernelGroup
    private let elementBytes: Int
    private let blockBytes: Int

    package init(_ group: KernelGroup) {
        self.group = group
        self.elementBytes = group.elementType.byteCount
        self.blockBytes = group.slotsPerBlock * group.width * group.elementType.byteCount
    }

    /// True when a block's slots and heads lie in another order in the pages than in the object. A piece is then one
    /// block, and its byte count is the block's.
    package var isTransposed: Bool {
        let geometry = self.group.geometry
        let areSlotsTight = geometry.slotStride == self.group.width || self.group.slotsPerBlock == 1
        let areHeadsTight = geometry.headStride == self.group.headSize || self.group.headCount == 1
        return !(areSlotsTight && areHeadsTight)
    }

    /// The kept blocks that a transfer touches, as positions in the chunk's block list.
    ///
    /// - Parameter skip: Leading blocks of the whole chunk that are left alone.
    package func positions(skip: Int) -> Range<Int> {
        let first = self.group.blocksPerChunk - self.group.keptBlocksPerChunk
        return min(max(first, skip), self.group.blocksPerChunk)..<self.group.blocksPerChunk
    }

    /// Calls `body` for each piece in object order; neighbours on both sides are merged.
    ///
    /// - Parameters:
    ///   - blockIDs: All of the chunk's blocks; those at ``positions(skip:)`` must be valid ids.
    ///   - protectedBlockID: Left alone.
    @inline(__always)
    package func forEachPiece(
        blockIDs: ArraySlice<Int32>, skip: Int, protectedBlockID: Int32?, _ body: (Piece) -> Void
    ) {
        let positions = self.positions(skip: skip)
        let firstKept = self.group.blocksPerChunk - self.group.keptBlocksPerChunk
        let mayMerge = !self.isTransposed
        var pending: Piece?
        for (row, origin) in self.group.geometry.origins.enumerated() {
            for position in positions {
                let id = blockIDs[blockIDs.startIndex + position]
                if id == protectedBlockID { continue }
                let piece = Piece(
                    tensor: origin.tensor,
                    pageOffset: (origin.offset + Int(id) * origin.blockStride) * self.elementBytes,
                    objectOffset: (row * self.group.keptBlocksPerChunk + position - firstKept) * self.blockBytes,
                    byteCount: self.blockBytes)
                if mayMerge, let before = pending, before.isFollowed(by: piece) {
                    pending = before.extended(by: piece)
                } else {
                    if let pending { body(pending) }
                    pending = piece
                }
            }
        }
        if let pending { body(pending) }
    }
}

extension PagePlan.Piece {
    fileprivate func isFollowed(by next: Self) -> Bool {
        next.tensor == self.tensor && next.pageOffset == self.pageOffset + self.byteCount
            && next.objectOffset == self.objectOffset + self.byteCount
    }

    fileprivate func extended(by next: Self) -> Self {
        .init(
            tensor: self.tensor, pageOffset: self.pageOffset, objectOffset: self.objectOffset,
            byteCount: self.byteCount + next.byteCount)
    }
}
