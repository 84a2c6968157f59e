// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import EngineTestSupport
import KVModel
import Testing

@testable import CacheEngine

@Suite struct TransferPlanTests {
    private static let text = Prompt(text: 1, chunks: 4)

    private static func layout(_ windows: [Int] = [], separate: Bool = false) throws -> KVCacheLayout {
        try KVCacheLayout.detect(
            .simulated(instance: 1, windows: windows), chunkSize: SimulatedServer.chunkSize,
            separateObjectGroups: separate, deviceIsCPU: true)
    }

    private static func order(
        start: Int, end: Int, blocks: [[Int32]], rank: Int? = 0, tokens: [UInt32] = Self.text.tokens
    ) -> TransferOrder {
        TransferOrder(
            key: CacheKey(
                modelName: "model", worldSize: 1, workerID: rank, tokenIDs: tokens, start: start, end: end,
                requestID: "r"),
            instance: InstanceID(1), blockIDs: blocks, event: [], connection: ConnectionID(1))
    }

    private static func refusal(_ order: TransferOrder, _ layout: KVCacheLayout) -> TransferPlan.Refusal? {
        do {
            _ = try TransferPlan(order: order, layout: layout)
            return nil
        } catch {
            return error
        }
    }

    @Test func refusesWhatItCannotCarryOut() throws {
        let layout = try Self.layout()
        let table: [(TransferOrder, TransferPlan.Refusal)] = [
            (Self.order(start: 0, end: 8, blocks: [[1, 2]], rank: nil), .schedulerKey),
            (Self.order(start: 1, end: 8, blocks: [[1, 2]]), .unalignedRange(start: 1, end: 8, chunkSize: 8)),
            (Self.order(start: 0, end: 9, blocks: [[1, 2]]), .unalignedRange(start: 0, end: 9, chunkSize: 8)),
            (Self.order(start: 8, end: 0, blocks: [[]]), .unalignedRange(start: 8, end: 0, chunkSize: 8)),
            (Self.order(start: -8, end: 0, blocks: [[1, 2]]), .unalignedRange(start: -8, end: 0, chunkSize: 8)),
            (Self.order(start: 0, end: 40, blocks: [[1, 2]]), .rangePastTokens(end: 40, tokens: 32)),
            (
                Self.order(start: 0, end: Int.max / 8 * 8, blocks: [[1]]),
                .rangePastTokens(end: Int.max / 8 * 8, tokens: 32)
            ),
            (Self.order(start: 0, end: 8, blocks: []), .wrongGroupCount(given: 0, expected: 1)),
            (Self.order(start: 0, end: 8, blocks: [[1, 2], [1, 2]]), .wrongGroupCount(given: 2, expected: 1)),
            (Self.order(start: 0, end: 16, blocks: [[1, 2, 3]]), .tooFewBlocks(group: 0, given: 3, needed: 4)),
            (Self.order(start: 0, end: 8, blocks: [[1, 256]]), .blockOutOfRange(group: 0, id: 256, blockCount: 256)),
            (Self.order(start: 0, end: 8, blocks: [[-1, 2]]), .blockOutOfRange(group: 0, id: -1, blockCount: 256)),
            (
                Self.order(start: 0, end: 8, blocks: [[.min, .max]]),
                .blockOutOfRange(group: 0, id: Int(Int32.min), blockCount: 256)
            ),
        ]
        for (order, expected) in table {
            #expect(Self.refusal(order, layout) == expected)
            #expect(!expected.description.isEmpty)
        }
    }

    @Test func ignoresSurplusBlocksWhateverTheyAre() throws {
        let plan = try TransferPlan(
            order: Self.order(start: 8, end: 16, blocks: [[5, 6, 9999, -7, 1]]), layout: try Self.layout())
        #expect(plan.chunks == 1..<2)
        let layout = try Self.layout()
        #expect(plan.blocks(objectGroup: layout.objectGroups[0], chunk: 1).map(Array.init) == [[5, 6]])
    }

    @Test func anEmptyRangeNeedsNoBlocks() throws {
        let plan = try TransferPlan(order: Self.order(start: 16, end: 16, blocks: [[]]), layout: try Self.layout())
        #expect(plan.chunks.isEmpty)
        #expect(plan.neededChunks(objectGroup: try Self.layout().objectGroups[0]).isEmpty)
    }

    @Test(arguments: [(0, 0), (8, 1), (16, 2), (1 << 40, 4)]) func endsWhereItIsCut(cut: Int, chunks: Int) throws {
        let order = Self.order(start: 0, end: 32, blocks: [EngineScript.blocks(4)])
        let plan = try TransferPlan(order: order, layout: try Self.layout(), clampedEnd: cut)
        #expect(plan.chunks == 0..<chunks)
    }

    /// A cut before the start is no plan; nothing traps.
    @Test func aCutBeforeTheStartIsRefused() throws {
        let order = Self.order(start: 16, end: 32, blocks: [EngineScript.blocks(2)])
        #expect(throws: TransferPlan.Refusal.unalignedRange(start: 16, end: 8, chunkSize: 8)) {
            _ = try TransferPlan(order: order, layout: try Self.layout(), clampedEnd: 8)
        }
    }

    @Test func aChunkIsAPlaceholderWhenAllItsBlocksAre() throws {
        let layout = try Self.layout([-1, 16], separate: true)
        let blocks: [[Int32]] = [[0, 0, 0, 1, 2, 3], [0, 0, 0, 0, 0, 7]]
        let plan = try TransferPlan(order: Self.order(start: 0, end: 24, blocks: blocks), layout: layout)
        let groups = layout.objectGroups
        func isPlaceholder(_ group: Int, _ id: Int?) -> [Bool] {
            (0..<3).map { plan.isPlaceholder(objectGroup: groups[group], chunk: $0, nullBlockID: id) }
        }
        #expect(isPlaceholder(0, 0) == [true, false, false])
        #expect(isPlaceholder(1, 0) == [true, true, false])
        #expect(isPlaceholder(1, nil) == [false, false, false])
        #expect(isPlaceholder(1, 7) == [false, false, false])
        #expect(isPlaceholder(1, -1) == [false, false, false])
    }

    /// One object of two kernel groups is a placeholder only when both are.
    @Test func groupsInOneObjectCountTogether() throws {
        let layout = try Self.layout([-1, 16], separate: false)
        try #require(layout.objectGroups.count == 1 && layout.kernelGroups.count == 2)
        let blocks: [[Int32]] = [[0, 0, 0, 0], [0, 0, 7, 8]]
        let plan = try TransferPlan(order: Self.order(start: 0, end: 16, blocks: blocks), layout: layout)
        #expect(plan.isPlaceholder(objectGroup: layout.objectGroups[0], chunk: 0, nullBlockID: 0))
        #expect(!plan.isPlaceholder(objectGroup: layout.objectGroups[0], chunk: 1, nullBlockID: 0))
        #expect(plan.blocks(objectGroup: layout.objectGroups[0], chunk: 1).map(Array.init) == [[0, 0], [7, 8]])
    }

    @Test func skipsWholeBlocksFromTheStartOfTheRange() throws {
        let layout = try Self.layout()
        let group = layout.objectGroups[0]
        let plan = try TransferPlan(
            order: Self.order(start: 8, end: 32, blocks: [EngineScript.blocks(3)]), layout: layout)
        func skipped(_ tokens: Int) -> [[Int]?] {
            plan.chunks.map { plan.skippedBlocks(objectGroup: group, chunk: $0, skippedTokens: tokens) }
        }
        #expect(skipped(0) == [[], [], []])
        #expect(skipped(3) == [[0], [], []])
        #expect(skipped(4) == [[1], [], []])
        #expect(skipped(8) == [nil, [], []])
        #expect(skipped(13) == [nil, [1], []])
        #expect(skipped(24) == [nil, nil, nil])
        #expect(skipped(.max) == [nil, nil, nil])
        #expect(skipped(-5) == [[], [], []])
    }

    @Test(arguments: [(8, 1), (9, 2), (16, 2), (24, 3), (800, 3), (-1, 3), (0, 3)])
    func needsTheWindowAtTheEndOfTheRange(window: Int, needed: Int) throws {
        let layout = try Self.layout([-1, window], separate: true)
        let plan = try TransferPlan(
            order: Self.order(
                start: 8, end: 32, blocks: Array(repeating: EngineScript.blocks(3), count: layout.kernelGroups.count)),
            layout: layout)
        #expect(plan.neededChunks(objectGroup: try #require(layout.objectGroups.last)) == 4 - needed..<4)
        if layout.objectGroups.count > 1 { #expect(plan.neededChunks(objectGroup: layout.objectGroups[0]) == 1..<4) }
    }
}
