// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct InlineChunkCopierTests {
    private static let golden = PickleGolden.vectors[0]

    private static func layout(_ shape: [Int], _ type: ElementType = .float16) throws -> ObjectLayout {
        try #require(ObjectLayout(parts: [.init(shape: shape, elementType: type)]))
    }

    /// An arena and a copier that is stopped before the arena goes.
    private final class InlineRig: Sendable {
        let rig = Rig(arenaByteCount: 256)
        let copier: InlineChunkCopier

        init() { self.copier = InlineChunkCopier(arena: self.rig.arena, queueLimit: 4) }

        deinit { self.copier.stop() }

        func write(
            _ pickle: [UInt8], _ places: [ArenaRange?], _ layout: ObjectLayout
        ) async -> Result<[Bool], InlineError> {
            await withCheckedContinuation { continuation in
                let job = InlineJob.write(pickle: pickle, places: places, layout: layout) {
                    continuation.resume(returning: $0)
                }
                #expect(self.copier.submit(job))
            }
        }

        func read(_ places: [ArenaRange], _ layout: ObjectLayout) async -> Result<[UInt8], InlineError> {
            await withCheckedContinuation { continuation in
                let job = InlineJob.read(places: places, layout: layout) { continuation.resume(returning: $0) }
                #expect(self.copier.submit(job))
            }
        }
    }

    @Test func chunksGoToTheirPlacesAndBack() async throws {
        let inline = InlineRig()
        let layout = try Self.layout([2, 1, 2, 3])
        let places = [ArenaRange(offset: 100, byteCount: 24), ArenaRange(offset: 0, byteCount: 24)]
        let result = await inline.write(bytes(hex: Self.golden.pickle), places, layout)
        #expect(result == .success([true, true]))
        let arena = inline.rig.arenaBytes
        #expect(Array(arena[100..<124]) == bytes(hex: Self.golden.tensors[0].data))
        #expect(Array(arena[0..<24]) == bytes(hex: Self.golden.tensors[1].data))
        #expect(arena[24..<100].allSatisfy { $0 == 0xa5 } && arena[124...].allSatisfy { $0 == 0xa5 })
        #expect(await inline.read(places, layout) == .success(bytes(hex: Self.golden.pickle)))
    }

    @Test func chunksThatDoNotFitAreRefusedAlone() async throws {
        let inline = InlineRig()
        let layout = try Self.layout([2, 1, 2, 3])
        let place = ArenaRange(offset: 0, byteCount: 24)
        let other = ArenaRange(offset: 24, byteCount: 24)
        let pickle = bytes(hex: Self.golden.pickle)
        #expect(await inline.write(pickle, [nil, place, other], layout) == .success([false, true, false]))
        #expect(await inline.write(pickle, [place], try Self.layout([2, 2, 1, 3])) == .success([false]))
        #expect(await inline.write(pickle, [place], try Self.layout([2, 1, 2, 3], .bfloat16)) == .success([false]))
        #expect(inline.rig.arenaBytes[24..<48].allSatisfy { $0 == 0xa5 })
    }

    @Test func aWrongPlaceOrPickleFailsTheJob() async throws {
        let inline = InlineRig()
        let layout = try Self.layout([2, 1, 2, 3])
        let pickle = bytes(hex: Self.golden.pickle)
        for (offset, count) in [(0, 25), (240, 24), (-1, 24)] {
            let place = ArenaRange(offset: offset, byteCount: count)
            #expect(await inline.write(pickle, [place], layout) == .failure(.wrongPlace))
            #expect(await inline.read([place], layout) == .failure(.wrongPlace))
        }
        let result = await inline.write([0x80, 4], [], layout)
        #expect(result == .failure(.malformed("ends too early at byte 2")))
        inline.copier.stop()
        #expect(!inline.copier.submit(.read(places: [], layout: layout) { _ in }))
    }
}
