// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct GroupingTests {
    /// Four latent layers of 6 blocks of 4 slots.
    private func layers(_ groups: [EngineGroup], sizes: [Int] = [9, 9, 9, 9]) -> KVCacheRegistration {
        registration(sizes.map { tensor([6, 4, $0]) }, groups: groups)
    }

    @Test func layersThatNoGroupNamesAreLeftOut() throws {
        let layout = try detect(
            self.layers([EngineGroup(engineGroupID: 3, layerIndices: [0, 2])]), chunkSize: 8)
        #expect(layout.kernelGroups.map(\.layerIndices) == [[0, 2]])
        #expect(layout.kernelGroups.map(\.engineGroupID) == [3])
        #expect(layout.layerCount == 2 && layout.tensorCount == 4)
    }

    @Test func equalLayersOfTwoEngineGroupsStayApart() throws {
        let groups = [
            EngineGroup(engineGroupID: 0, layerIndices: [0, 2]), EngineGroup(engineGroupID: 1, layerIndices: [1, 3]),
        ]
        let layout = try detect(self.layers(groups), chunkSize: 8)
        #expect(layout.kernelGroups.map(\.layerIndices) == [[0, 2], [1, 3]])
        #expect(layout.kernelGroups.map(\.objectGroup) == [0, 0])
    }

    @Test func oneEngineGroupMayHaveSeveralKernelGroups() throws {
        let groups = [
            EngineGroup(engineGroupID: 0, layerIndices: [0, 2]), EngineGroup(engineGroupID: 0, layerIndices: [1, 3]),
        ]
        let layout = try detect(self.layers(groups, sizes: [9, 7, 9, 7]), chunkSize: 8)
        #expect(layout.kernelGroups.map(\.headSize) == [9, 7])
        #expect(layout.objectGroups.map(\.kernelGroups) == [[0, 1]])
    }

    @Test(arguments: [
        ([[0, 1, 2, 3], [0]], "already in another group"),
        ([[0, 1, 2, 4]], "outside 0 ..< 4"),
        ([[0, -1]], "outside 0 ..< 4"),
        ([[2, 3], [0, 1]], "names layers [2, 3]"),
        ([[1, 0]], "names layers [1, 0]"),
        ([[]], "names no layer"),
        ([[0, 1], []], "2 entries"),
    ])
    func groupsThatDoNotMatchAreRefused(_ layerIndices: [[Int]], _ words: String) {
        let groups = layerIndices.enumerated().map { EngineGroup(engineGroupID: $0, layerIndices: $1) }
        self.expectRefusal(self.layers(groups), chunkSize: 8, words: words)
    }

    @Test func compressedBlocksHoldFewerSlotsThanTokens() throws {
        let groups = [EngineGroup(engineGroupID: 0, layerIndices: [0, 1, 2, 3], tokensPerBlock: 16)]
        let group = try detect(self.layers(groups), chunkSize: 32).kernelGroups[0]
        #expect(group.tokensPerBlock == 16 && group.slotsPerBlock == 4)
        #expect(group.blocksPerChunk == 2 && group.slotsPerObject == 8)
    }

    @Test(arguments: [
        (6, -1, 32, "multiple of the tensors' 4 slots"),
        (16, -1, 24, "multiple of 16 tokens"),
        (-1, -1, 32, "tokens_per_block is -1"),
        (8, 12, 32, "sw_size_tokens 12"),
    ])
    func blockSizesThatDoNotDivideAreRefused(_ tokens: Int, _ window: Int, _ chunk: Int, _ words: String) {
        let group = EngineGroup(
            engineGroupID: 0, layerIndices: [0, 1, 2, 3], tokensPerBlock: tokens, slidingWindowTokens: window)
        self.expectRefusal(self.layers([group]), chunkSize: chunk, words: words)
    }

    @Test(arguments: [
        // window, kept blocks of 4, window in chunks of 16
        (-1, 4, -1), (0, 4, -1), (-7, 4, -1), (4, 1, 1), (8, 2, 1), (16, 4, 1), (17, 4, 2), (100, 4, 7),
        (Int.max, 4, Int.max / 16 + 1),
    ])
    func windowsKeepTheLastBlocksAndCountInChunks(_ window: Int, _ kept: Int, _ chunks: Int) throws {
        let groups = [EngineGroup(engineGroupID: 0, layerIndices: [0, 1, 2, 3], slidingWindowTokens: window)]
        let layout = try detect(self.layers(groups), chunkSize: 16, separate: true)
        #expect(layout.kernelGroups[0].keptBlocksPerChunk == kept)
        #expect(layout.objectGroups[0].window == PrefixWindow(chunks: chunks))
        #expect(layout.objectGroups[0].layout.parts[0].shape == [1, 4, kept * 4, 9])
        let together = try detect(self.layers(groups), chunkSize: 16)
        #expect(together.objectGroups[0].window == .everything)
        #expect(together.objectGroups[0].layout == layout.objectGroups[0].layout)
    }

    @Test func separateGroupsBucketByWindowStateAndTag() throws {
        let groups = [
            EngineGroup(engineGroupID: 0, layerIndices: [0], extraObjectGroupTag: 2),
            EngineGroup(engineGroupID: 1, layerIndices: [1], slidingWindowTokens: 20),
            EngineGroup(engineGroupID: 2, layerIndices: [2]),
            EngineGroup(engineGroupID: 3, layerIndices: [3], slidingWindowTokens: 32),
            EngineGroup(engineGroupID: 4, layerIndices: [4], slidingWindowTokens: 32, isRecurrentState: true),
            EngineGroup(engineGroupID: 5, layerIndices: [5], slidingWindowTokens: 16, extraObjectGroupTag: 2),
            EngineGroup(engineGroupID: 6, layerIndices: [6], extraObjectGroupTag: 1),
        ]
        let registration = self.layers(groups, sizes: Array(repeating: 9, count: 7))
        let layout = try detect(registration, chunkSize: 16, separate: true)
        #expect(layout.objectGroups.map(\.kernelGroups) == [[1, 3], [2], [4], [0, 5], [6]])
        #expect(layout.objectGroups.map(\.kind) == [.attention, .attention, .recurrent, .auxiliary, .auxiliary])
        #expect(layout.objectGroups.prefix(3).map(\.window) == [.last(chunks: 2), .everything, .last(chunks: 2)])
        #expect(layout.kernelGroups.map(\.objectGroup) == [3, 0, 1, 0, 2, 3, 4])
    }

    @Test func engineDrivenObjectsHaveTheRegisteredShape() throws {
        var engine = EngineDrivenRegistration(
            instanceID: InstanceID(1), modelName: "m", worldSize: 1, blockSize: 2, layerCount: 2, hiddenSize: 3,
            elementType: .float16, isMLA: false, slotCount: 4)
        #expect(try KVCacheLayout.engineDriven(engine, chunkSize: 8).parts.map(\.shape) == [[2, 2, 4, 3]])
        engine.slotCount = nil
        engine.isMLA = true
        #expect(try KVCacheLayout.engineDriven(engine, chunkSize: 8).parts.map(\.shape) == [[2, 8, 3]])
        for size in [0, -1, Int.max] {
            engine.hiddenSize = size
            #expect(throws: LayoutError.self) { try KVCacheLayout.engineDriven(engine, chunkSize: 8) }
        }
    }

    private func expectRefusal(_ registration: KVCacheRegistration, chunkSize: Int, words: String) {
        do {
            let layout = try detect(registration, chunkSize: chunkSize)
            Issue.record("accepted as \(layout.kernelGroups)")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }
}
