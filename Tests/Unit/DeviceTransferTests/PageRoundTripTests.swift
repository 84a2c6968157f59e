// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

/// Every format against the formulas, over small shapes and random block tables.
@Suite struct PageRoundTripTests {
    static func shapes(_ format: KVFormat) -> [PageOracle] {
        var shapes: [PageOracle] = []
        let types: [ElementType] = [.uint8, .bfloat16, .float32]
        for layers in [1, 2] {
            for blocks in [3, 5] {
                for (slots, heads, size) in [(1, 1, 1), (1, 3, 2), (2, 1, 3), (2, 2, 5), (4, 3, 1), (3, 2, 4)] {
                    let type = types[shapes.count % 3]
                    let paddings = format.allowsPaddedBlocks ? [0, 7] : [0]
                    shapes += paddings.map {
                        PageOracle(
                            format: format, layers: layers, blocks: blocks, slots: slots,
                            heads: format == .latent ? 1 : heads, size: size, type: type, padding: $0)
                    }
                }
            }
        }
        return shapes
    }

    @Test(arguments: KVFormat.allCases)
    func aStoreMatchesTheFormulasAndTouchesNothingElse(_ format: KVFormat) async throws {
        var random = SeededRandom(UInt64(format.rawValue))
        for oracle in Self.shapes(format) {
            for blocksPerChunk in 1...3 {
                let ids = (0..<blocksPerChunk).map { _ in Int32.random(in: 0..<Int32(oracle.blocks), using: &random) }
                try await self.checkStore(oracle, ids)
            }
        }
    }

    @Test(arguments: KVFormat.allCases)
    func aLoadMatchesTheFormulasAndTouchesNothingElse(_ format: KVFormat) async throws {
        var random = SeededRandom(UInt64(format.rawValue) + 50)
        for oracle in Self.shapes(format) {
            for blocksPerChunk in 1...3 {
                let ids = (0..<Int32(oracle.blocks)).shuffled(using: &random).prefix(blocksPerChunk)
                let skip = Int.random(in: 0...blocksPerChunk, using: &random)
                let protected = Bool.random(using: &random) ? ids.randomElement(using: &random) : nil
                try await self.checkLoad(oracle, Array(ids), skip: skip, protectedBlockID: protected)
            }
        }
    }

    /// Blocks large enough for streamed rows, of whole cache lines and not.
    @Test(arguments: KVFormat.allCases.filter(\.isHeadMajor), [(64, 0), (40, 0), (40, 8), (36, 0)])
    func largeBlocksMatchTheFormulas(_ format: KVFormat, _ form: (size: Int, padding: Int)) async throws {
        let oracle = PageOracle(
            format: format, layers: 1, blocks: 3, slots: 16, heads: 4, size: form.size, type: .bfloat16,
            padding: format.allowsPaddedBlocks ? form.padding : 0)
        try await self.checkStore(oracle, [2, 0])
        try await self.checkLoad(oracle, [1, 2], skip: 0, protectedBlockID: nil)
    }

    private func checkStore(_ oracle: PageOracle, _ ids: [Int32]) async throws {
        let registration = oracle.registration()
        let layout = try detect(registration, chunkSize: oracle.slots * ids.count)
        #expect(layout.kernelGroups.map(\.format) == [oracle.format])
        let size = oracle.objectByteCount(blocks: ids.count)
        #expect(layout.objectGroups[0].layout.byteCount == size, "\(oracle)")
        let rig = Rig(arenaByteCount: size + 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        let before = (0..<oracle.tensorCount).map { Array(rig.segment("/kv\($0)")) }
        var expected = rig.arenaBytes
        oracle.forEachElement(blockIDs: ids) { object, _, tensor, byte in
            for index in 0..<oracle.type.byteCount { expected[32 + object + index] = before[tensor][byte + index] }
        }
        let memory = try rig.device.open(registration, layout: layout)
        let object = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: 32, byteCount: size), blockIDs: [ids[...]])
        let outcome = try #require(await Rig.run(memory, .store, [object]))
        #expect(outcome.isCompleted && outcome.wasCompletedFirst)
        #expect(rig.arenaBytes == expected, "\(oracle) \(ids)")
        #expect((0..<oracle.tensorCount).allSatisfy { Array(rig.segment("/kv\($0)")) == before[$0] }, "\(oracle)")
        memory.close()
    }

    private func checkLoad(
        _ oracle: PageOracle, _ ids: [Int32], skip: Int, protectedBlockID: Int32?
    ) async throws {
        let registration = oracle.registration()
        let layout = try detect(registration, chunkSize: oracle.slots * ids.count)
        let size = oracle.objectByteCount(blocks: ids.count)
        let rig = Rig(arenaByteCount: size + 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration, slack: 16)
        rig.fillArena(seed: 9)
        let arena = rig.arenaBytes
        var expected = (0..<oracle.tensorCount).map { Array(rig.segment("/kv\($0)")) }
        oracle.forEachElement(blockIDs: ids) { object, position, tensor, byte in
            guard position >= skip, ids[position] != protectedBlockID else { return }
            for index in 0..<oracle.type.byteCount { expected[tensor][byte + index] = arena[32 + object + index] }
        }
        let memory = try rig.device.open(registration, layout: layout)
        let object = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: 32, byteCount: size), blockIDs: [ids[...]], skipBlocks: [skip])
        let outcome = try #require(
            await Rig.run(memory, .load, [object], protectedBlockID: protectedBlockID))
        #expect(outcome.isCompleted && outcome.wasCompletedFirst)
        for index in expected.indices {
            #expect(Array(rig.segment("/kv\(index)")) == expected[index], "\(oracle) \(ids) skip \(skip)")
        }
        #expect(rig.arenaBytes == arena)
        memory.close()
    }
}
