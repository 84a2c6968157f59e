// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import KVModel

/// Copies one block between `[heads][slots][size]` pages and `[slots][heads][size]` objects.
struct BlockTransposition {
    private let readsInSequence: lmc_rows
    private let writesInSequence: lmc_rows
    private static let lineBytes: UInt = 64

    /// - Parameter direction: A store copies from a page to an object's block, a load the other way round.
    init(_ group: KernelGroup, direction: Transfer.Direction) {
        let element = group.elementType.byteCount
        let row = group.headSize * element
        let inPage = (
            slot: group.geometry.slotStride * element, head: group.geometry.headStride * element
        )
        let inObject = (slot: group.headCount * row, head: row)
        let (destination, source) = direction == .store ? (inObject, inPage) : (inPage, inObject)
        let slotsFirst = lmc_rows(
            outer_count: group.slotsPerBlock, inner_count: group.headCount, length: row,
            destination_outer_stride: destination.slot, destination_inner_stride: destination.head,
            source_outer_stride: source.slot, source_inner_stride: source.head)
        let headsFirst = lmc_rows(
            outer_count: group.headCount, inner_count: group.slotsPerBlock, length: row,
            destination_outer_stride: destination.head, destination_inner_stride: destination.slot,
            source_outer_stride: source.head, source_inner_stride: source.slot)
        self.readsInSequence = direction == .store ? headsFirst : slotsFirst
        self.writesInSequence = direction == .store ? slotsFirst : headsFirst
    }

    /// Both are one block long and do not overlap.
    func copy(from source: UnsafeMutableRawPointer, to destination: UnsafeMutableRawPointer) {
        // Streamed whole lines need no order, and reads like one; a line written in parts must be finished soon.
        let isWholeLines =
            UInt(bitPattern: destination) % Self.lineBytes == 0
            && UInt(self.readsInSequence.length) % Self.lineBytes == 0
        withUnsafePointer(to: isWholeLines ? self.readsInSequence : self.writesInSequence) { rows in
            lmc_copy_rows(destination, source, rows)
        }
    }
}
