// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

/// Windows below one chunk: the object holds only the last blocks of each chunk.
@Suite struct WindowedTransferTests {
    private static let oracle = PageOracle(
        format: .planesBlocksHeadsSlots, layers: 2, blocks: 5, slots: 2, heads: 2, size: 3, type: .float16, padding: 0)
    private static let full = PageOracle(
        format: .latent, layers: 1, blocks: 5, slots: 2, heads: 1, size: 7, type: .float16, padding: 0)

    /// Layers 0 and 1 with a window of two of the four blocks of a chunk, then a latent layer with all of them.
    private func mixed() -> KVCacheRegistration {
        let windowed = Self.oracle.registration().tensors
        let latent = tensor(Self.full.tensorShape, offset: PageOracle.lead, name: "/kv2")
        return registration(
            windowed + [latent], hints: .init(kvLayout: .hnd),
            groups: [
                EngineGroup(engineGroupID: 0, layerIndices: [0, 1], slidingWindowTokens: 4),
                EngineGroup(engineGroupID: 1, layerIndices: [2]),
            ])
    }

    @Test func aStorePacksTheWindowAndTheNextGroupFollows() async throws {
        let registration = self.mixed()
        let layout = try detect(registration, chunkSize: 8)
        let windowBytes = Self.oracle.objectByteCount(blocks: 2)
        let size = windowBytes + Self.full.objectByteCount(blocks: 4)
        #expect(layout.objectGroups.map(\.layout.byteCount) == [size])
        let rig = Rig(arenaByteCount: size + 16)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        var expected = rig.arenaBytes
        let pages = (0..<3).map { Array(rig.segment("/kv\($0)")) }
        Self.oracle.forEachElement(blockIDs: [4, 0]) { object, _, tensor, byte in
            for index in 0..<2 { expected[object + index] = pages[tensor][byte + index] }
        }
        Self.full.forEachElement(blockIDs: [1, 2, 3, 0]) { object, _, _, byte in
            for index in 0..<2 { expected[windowBytes + object + index] = pages[2][byte + index] }
        }
        let memory = try rig.device.open(registration, layout: layout)
        // Blocks before the window may be placeholders.
        let object = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[-1, 99, 4, 0], [1, 2, 3, 0]])
        let outcome = await Rig.run(memory, .store, [object])
        #expect(outcome?.isCompleted == true)
        #expect(rig.arenaBytes == expected)
    }

    @Test(arguments: 0...4)
    func aLoadSkipsInTermsOfTheWholeChunk(_ skip: Int) async throws {
        let registration = self.mixed()
        let layout = try detect(registration, chunkSize: 8)
        let size = layout.objectGroups[0].layout.byteCount
        let rig = Rig(arenaByteCount: size)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        rig.fillArena(seed: 4)
        let arena = rig.arenaBytes
        var expected = (0..<3).map { Array(rig.segment("/kv\($0)")) }
        Self.oracle.forEachElement(blockIDs: [4, 1]) { object, position, tensor, byte in
            guard position >= max(0, skip - 2) else { return }
            for index in 0..<2 { expected[tensor][byte + index] = arena[object + index] }
        }
        let windowBytes = Self.oracle.objectByteCount(blocks: 2)
        Self.full.forEachElement(blockIDs: [1, 2, 3, 0]) { object, position, _, byte in
            guard position >= 1, position != 3 else { return }
            for index in 0..<2 { expected[2][byte + index] = arena[windowBytes + object + index] }
        }
        let memory = try rig.device.open(registration, layout: layout)
        let object = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[0, 0, 4, 1], [1, 2, 3, 0]],
            skipBlocks: [skip, 1])
        let outcome = await Rig.run(memory, .load, [object], protectedBlockID: 0)
        #expect(outcome?.isCompleted == true)
        #expect((0..<3).map { Array(rig.segment("/kv\($0)")) } == expected)
    }
}
