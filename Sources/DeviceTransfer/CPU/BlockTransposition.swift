// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel

/// Reorders one block between `[heads][slots][size]` pages and `[slots][heads][size]` objects.
struct BlockTransposition {
    private let slotCount: Int
    private let headCount: Int
    private let rowBytes: Int
    private let slotStride: Int
    private let headStride: Int

    init(_ group: KernelGroup) {
        let element = group.elementType.byteCount
        self.slotCount = group.slotsPerBlock
        self.headCount = group.headCount
        self.rowBytes = group.headSize * element
        self.slotStride = group.geometry.slotStride * element
        self.headStride = group.geometry.headStride * element
    }

    /// From a page to an object's block.
    func gather(from page: UnsafeMutableRawPointer, to block: UnsafeMutableRawPointer) {
        self.forEachRow { pageOffset, blockOffset in memcpy(block + blockOffset, page + pageOffset, self.rowBytes) }
    }

    /// From an object's block to a page.
    func scatter(from block: UnsafeMutableRawPointer, to page: UnsafeMutableRawPointer) {
        self.forEachRow { pageOffset, blockOffset in memcpy(page + pageOffset, block + blockOffset, self.rowBytes) }
    }

    @inline(__always)
    private func forEachRow(_ body: (_ pageOffset: Int, _ blockOffset: Int) -> Void) {
        var blockOffset = 0
        for slot in 0..<self.slotCount {
            var pageOffset = slot * self.slotStride
            for _ in 0..<self.headCount {
                body(pageOffset, blockOffset)
                pageOffset += self.headStride
                blockOffset += self.rowBytes
            }
        }
    }
}
