// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct ChecksumTests {
    @Test(arguments: ChecksumGolden.all)
    func digestsAreUpstreams(_ golden: ChecksumGolden) async throws {
        let type = try #require(ElementType(rawValue: golden.type))
        let isHeadMajor = golden.format == 6 || golden.format == 7
        let registration = registration(
            (0..<2).map { tensor(golden.shape, type: type, name: "/kv\($0)") },
            hints: LayoutHints(kvLayout: isHeadMajor ? .hnd : .nhd))
        let layout = try detect(registration, chunkSize: 12)
        #expect(layout.kernelGroups[0].format.rawValue == golden.format)
        let rig = Rig(arenaByteCount: 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        for layer in 0..<2 {
            let words = rig.segment("/kv\(layer)").bindMemory(to: UInt16.self)
            for position in words.indices {
                words[position] = UInt16((7 * position + 1000 * layer) % 32_768)
            }
        }
        let memory = try rig.device.open(registration, layout: layout)
        let result = await Self.checksums(memory, [3, 1, 4, 0, 2], golden.isLayerwise)
        #expect(result == .success(golden.isLayerwise ? .layers(golden.digests) : .chunks(golden.digests[0])))
        memory.close()
    }

    @Test func aBlockOutOfRangeIsAnError() async throws {
        let registration = registration([tensor([2, 5, 2, 3, 4], name: "/kv0")])
        let rig = Rig(arenaByteCount: 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        let memory = try rig.device.open(registration, layout: detect(registration, chunkSize: 12))
        #expect(await Self.checksums(memory, [0, 5], false) == .failure(.blockOutOfRange(id: 5, blockCount: 5)))
        #expect(await Self.checksums(memory, [-1], true) == .failure(.blockOutOfRange(id: -1, blockCount: 5)))
        memory.close()
    }

    @Test func packedFormatsAreDeclined() async throws {
        let registration = registration([tensor([5, 2, 3, 4], name: "/kv0")])
        let rig = Rig(arenaByteCount: 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        let memory = try rig.device.open(registration, layout: detect(registration, chunkSize: 12))
        #expect(await Self.checksums(memory, [0], false) == .failure(.unsupportedFormat(.packedHeadsSlots)))
        memory.close()
    }

    private static func checksums(
        _ memory: any EngineMemory, _ blockIDs: [Int], _ layerwise: Bool
    ) async -> Result<ChunkChecksums, ChecksumError> {
        await withCheckedContinuation { continuation in
            let isTaken = memory.checksums(blockIDs: blockIDs, blocksPerChunk: 2, layerwise: layerwise) {
                continuation.resume(returning: $0)
            }
            if !isTaken { continuation.resume(returning: .failure(.closed)) }
        }
    }
}
