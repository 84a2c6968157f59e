// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import KVModel

/// Copies one block between `[heads][slots][size]` pages and `[slots][heads][size]` objects.
struct BlockTransposition {
    /// Reads the block in sequence.
    private let rows: lmc_rows
    /// Both in the page and in the object.
    private let blockBytes: Int
    private static let lineBytes = 64

    /// - Parameter direction: A store copies from a page to an object's block, a load the other way round.
    init(_ group: KernelGroup, direction: Transfer.Direction) {
        let element = group.elementType.byteCount
        let row = group.headSize * element
        let pageSlot = group.geometry.slotStride * element
        let pageHead = group.geometry.headStride * element
        let objectSlot = group.headCount * row
        self.blockBytes = group.slotsPerBlock * objectSlot
        switch direction {
        case .store:
            self.rows = lmc_rows(
                outer_count: group.headCount, inner_count: group.slotsPerBlock, length: row,
                destination_outer_stride: row, destination_inner_stride: objectSlot,
                source_outer_stride: pageHead, source_inner_stride: pageSlot)
        case .load:
            self.rows = lmc_rows(
                outer_count: group.slotsPerBlock, inner_count: group.headCount, length: row,
                destination_outer_stride: pageSlot, destination_inner_stride: pageHead,
                source_outer_stride: objectSlot, source_inner_stride: row)
        }
    }

    /// Both are one block long and do not overlap.
    ///
    /// - Parameter scratch: Of any size; blocks that are larger are copied without it.
    func copy(
        from source: UnsafeMutableRawPointer, to destination: UnsafeMutableRawPointer,
        scratch: UnsafeMutableRawBufferPointer
    ) {
        withUnsafePointer(to: self.rows) { rows in
            if rows.pointee.length % Self.lineBytes == 0, Int(bitPattern: destination) % Self.lineBytes == 0 {
                lmc_copy_rows_streaming(destination, source, rows)
            } else if self.blockBytes <= scratch.count, let scratch = scratch.baseAddress {
                // A streamed line must be written whole.
                lmc_copy_rows(scratch, source, rows)
                lmc_copy_streaming(destination, scratch, self.blockBytes)
            } else {
                lmc_copy_rows(destination, source, rows)
            }
        }
    }
}
