// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

/// One block both ways, over each of the copy's routes: streamed, over scratch memory, and without either.
@Suite struct BlockTranspositionTests {
    @Test(arguments: [(64, 0), (64, 16), (64, 4), (40, 0), (36, 2), (1, 0)], [0, 64 * 1024])
    func headsAndSlotsChangePlaces(_ form: (headSize: Int, offset: Int), scratchByteCount: Int) throws {
        let (slots, heads, row) = (16, 6, form.headSize * 2)
        let oracle = PageOracle(
            format: .planesBlocksHeadsSlots, layers: 1, blocks: 1, slots: slots, heads: heads, size: form.headSize,
            type: .bfloat16, padding: 0)
        let group = try detect(oracle.registration(), chunkSize: slots).kernelGroups[0]
        let page = (0..<slots * heads * row).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        var block = page
        for slot in 0..<slots {
            for head in 0..<heads {
                let (to, from) = ((slot * heads + head) * row, (head * slots + slot) * row)
                block.replaceSubrange(to..<to + row, with: page[from..<from + row])
            }
        }
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: scratchByteCount, alignment: 64)
        defer { scratch.deallocate() }
        let gathered = Self.copied(page, group, .store, offset: form.offset, scratch)
        #expect(gathered == block)
        let scattered = Self.copied(block, group, .load, offset: form.offset, scratch)
        #expect(scattered == page)
    }

    private static func copied(
        _ bytes: [UInt8], _ group: KernelGroup, _ direction: Transfer.Direction, offset: Int,
        _ scratch: UnsafeMutableRawBufferPointer
    ) -> [UInt8] {
        let from = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        let to = UnsafeMutableRawBufferPointer.allocate(byteCount: offset + bytes.count, alignment: 64)
        defer {
            from.deallocate()
            to.deallocate()
        }
        from.copyBytes(from: bytes)
        guard let source = from.baseAddress, let destination = to.baseAddress else { return [] }
        BlockTransposition(group, direction: direction).copy(from: source, to: destination + offset, scratch: scratch)
        return Array(to[offset...])
    }
}
