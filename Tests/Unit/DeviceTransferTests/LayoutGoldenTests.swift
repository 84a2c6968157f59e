// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct LayoutGoldenTests {
    @Test(arguments: LayoutGolden.all)
    func objectsHaveTheBytesThatUpstreamGathers(_ golden: LayoutGolden) async throws {
        let engine = try #require(EngineKind(rawValue: golden.engine))
        let tensors = golden.shapes.enumerated().map { tensor($1, type: .int16, name: "/kv\($0)") }
        let registration = registration(tensors, engine: engine, hints: LayoutHints(spelled: golden.hints))
        let layout = try detect(registration, chunkSize: 4, deviceIsCPU: false)
        let size = layout.objectGroups[0].layout.byteCount
        let rig = Rig(arenaByteCount: 2 * size)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(registration)
        for (index, first) in golden.firstElements.enumerated() {
            let words = rig.segment("/kv\(index)").bindMemory(to: Int16.self)
            for position in words.indices { words[position] = first + Int16(position) }
        }
        let memory = try rig.device.open(registration, layout: layout)
        let objects = (0..<2).map {
            ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: $0 * size, byteCount: size),
                blockIDs: [golden.blockIDs[$0 * 2..<$0 * 2 + 2]])
        }
        let outcome = try #require(await Rig.run(memory, .store, objects))
        #expect(outcome.isCompleted)
        #expect(rig.arenaBytes == golden.chunks.flatMap { bytes(hex: $0) })
        let shape = layout.objectGroups[0].layout.parts[0].shape
        #expect(shape.suffix(3) == golden.objectShape.suffix(3))
        memory.close()
    }
}
