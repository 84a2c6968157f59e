// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct PagePlanTests {
    private func pieces(_ format: KVFormat, ids: [Int32], blocks: Int = 4) throws -> [PagePlan.Piece] {
        let oracle = PageOracle(
            format: format, layers: 1, blocks: blocks, slots: 2, heads: 3, size: 5, type: .uint8, padding: 0)
        let plan = PagePlan(try detect(oracle.registration(), chunkSize: 2 * ids.count).kernelGroups[0])
        var pieces: [PagePlan.Piece] = []
        plan.forEachPiece(blockIDs: ids[...], skip: 0, protectedBlockID: nil) { pieces.append($0) }
        return pieces
    }

    @Test func neighbouringBlocksAreOneRun() throws {
        let pieces = try self.pieces(.planesBlocksSlotsHeads, ids: [1, 2, 0, 3])
        #expect(pieces.map(\.byteCount) == [60, 30, 30, 60, 30, 30])
        #expect(pieces.map(\.pageOffset) == [30, 0, 90, 150, 120, 210])
        #expect(pieces.map(\.objectOffset) == [0, 60, 90, 120, 180, 210])
    }

    @Test func wholePlanesAreOneRun() throws {
        #expect(
            try self.pieces(.planesBlocksSlotsHeads, ids: [0, 1, 2, 3])
                == [.init(tensor: 0, pageOffset: 0, objectOffset: 0, byteCount: 240)])
    }

    @Test func planesInsideBlocksAreNotMerged() throws {
        #expect(try self.pieces(.blocksPlanesSlotsHeads, ids: [0, 1]).map(\.byteCount) == [30, 30, 30, 30])
    }

    @Test func transposedBlocksAreNotMerged() throws {
        #expect(try self.pieces(.planesBlocksHeadsSlots, ids: [0, 1]).map(\.byteCount) == [30, 30, 30, 30])
    }
}
