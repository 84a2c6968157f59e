// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

/// One row of the layout table.
struct DetectionRow: Sendable, CustomTestStringConvertible {
    let engine: EngineKind
    let shape: [Int]
    var hints = LayoutHints()
    var tensorCount = 2
    var deviceIsCPU = true
    /// Format, planes, heads, head size, slots a block, blocks.
    let expected: [Int]

    var testDescription: String { "\(self.engine) \(self.shape) \(self.hints)" }

    static let nhd = LayoutHints(kvLayout: .nhd)
    static let hnd = LayoutHints(kvLayout: .hnd)

    static let all: [DetectionRow] = [
        .init(engine: .vllm, shape: [6, 3, 4, 10], hints: hnd, expected: [12, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [6, 3, 4, 10], hints: .init(kvLayout: .blhnc), expected: [12, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [6, 4, 3, 10], hints: nhd, expected: [13, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [6, 4, 3, 10], hints: .init(kvLayout: .blnhc), expected: [13, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [6, 3, 4, 10], expected: [12, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [6, 4, 3, 10], deviceIsCPU: false, expected: [13, 1, 3, 10, 4, 6]),
        .init(engine: .vllm, shape: [2, 6, 4, 3, 5], hints: nhd, expected: [1, 2, 3, 5, 4, 6]),
        .init(engine: .vllm, shape: [2, 6, 3, 4, 5], hints: hnd, expected: [6, 2, 3, 5, 4, 6]),
        .init(engine: .vllm, shape: [6, 2, 4, 3, 5], hints: nhd, expected: [2, 2, 3, 5, 4, 6]),
        .init(engine: .vllm, shape: [6, 2, 3, 4, 5], hints: hnd, expected: [7, 2, 3, 5, 4, 6]),
        .init(engine: .vllm, shape: [2, 2, 4, 3, 5], hints: nhd, expected: [1, 2, 3, 5, 4, 2]),
        .init(engine: .vllm, shape: [6, 4, 9], expected: [3, 1, 1, 9, 4, 6]),
        .init(
            engine: .sglang, shape: [6, 4, 9], hints: .init(listLayout: .unified), expected: [3, 1, 1, 9, 4, 6]),
        .init(
            engine: .sglang, shape: [6, 4, 3, 5], hints: .init(listLayout: .unified), expected: [18, 1, 3, 5, 4, 6]),
        // Pages of one token, with one head as well, and pages whose inside is the engine's own.
        .init(
            engine: .sglang, shape: [6, 1, 3, 5], hints: .init(listLayout: .unified), expected: [18, 1, 3, 5, 1, 6]),
        .init(
            engine: .sglang, shape: [6, 1, 1, 5], hints: .init(listLayout: .unified), expected: [18, 1, 1, 5, 1, 6]),
        .init(
            engine: .sglang, shape: [24, 3, 5], hints: .init(tokensPerBlock: 1, listLayout: .keysThenValues),
            expected: [9, 2, 3, 5, 1, 24]),
        .init(
            engine: .sglang, shape: [24, 3, 5], hints: .init(tokensPerBlock: 4, listLayout: .keysThenValues),
            expected: [9, 2, 3, 5, 4, 6]),
        .init(
            engine: .sglang, shape: [24, 1, 9], hints: .init(tokensPerBlock: 4), expected: [3, 1, 1, 9, 4, 6]),
        .init(
            engine: .trtllm, shape: [6, 7, 2, 60],
            hints: .init(kvHeadCount: 3, tokensPerBlock: 4, headDimension: 5), tensorCount: 1,
            expected: [8, 2, 3, 5, 4, 6]),
        .init(engine: .atom, shape: [6, 4, 9], expected: [3, 1, 1, 9, 4, 6]),
    ]
}

@Suite struct LayoutDetectionTests {
    @Test(arguments: DetectionRow.all)
    func everyRowIsRecognised(_ row: DetectionRow) throws {
        let tensors = Array(repeating: tensor(row.shape), count: row.tensorCount)
        let layout = try detect(
            registration(tensors, engine: row.engine, hints: row.hints), chunkSize: 8, deviceIsCPU: row.deviceIsCPU)
        let group = try #require(layout.kernelGroups.first)
        #expect(layout.kernelGroups.count == 1)
        let found = [
            group.format.rawValue, group.planeCount, group.headCount, group.headSize, group.slotsPerBlock,
            group.blockCount,
        ]
        #expect(found == row.expected)
        let slots = row.expected[4]
        #expect(group.blocksPerChunk == 8 / slots && group.keptBlocksPerChunk == 8 / slots)
        #expect(group.tokensPerBlock == slots)
        let layers = row.engine == .trtllm ? 7 : (row.hints.listLayout == .keysThenValues ? 1 : 2)
        #expect(group.layerIndices == Array(0..<layers))
        #expect(
            layout.objectGroups[0].layout.parts[0].shape
                == [group.planeCount, layers, 8, group.headCount * group.headSize])
        #expect(layout.bytesPerToken * 8 == layout.objectGroups[0].layout.byteCount)
    }

    @Test func permutedTensorsAreReadInPhysicalOrder() throws {
        // [2, NB, BS, NH, HS] shown over memory laid out as [2, NB, NH, BS, HS].
        let tensor = tensor([2, 6, 4, 3, 5], stride: [360, 60, 5, 20, 1])
        let layout = try detect(registration([tensor], hints: .init(kvLayout: .hnd)), chunkSize: 4)
        #expect(layout.kernelGroups[0].format == .planesBlocksHeadsSlots)
        #expect(layout.kernelGroups[0].tensorShape == [2, 6, 3, 4, 5])
    }

    @Test func aSingleHeadGoesBehindTheSlotsItTiesWith() throws {
        let tensor = tensor([6, 1, 4, 10], stride: [50, 10, 10, 1])
        let layout = try detect(registration([tensor], hints: .init(kvLayout: .blnhc)), chunkSize: 4)
        #expect(layout.kernelGroups[0].tensorShape == [6, 4, 1, 10])
        #expect(layout.kernelGroups[0].geometry.origins[0].blockStride == 50)
    }

    @Test func oneRegistrationMayMixFormats() throws {
        let tensors = [tensor([6, 4, 9]), tensor([2, 6, 4, 3, 5]), tensor([6, 4, 9])]
        let layout = try detect(registration(tensors, hints: .init(kvLayout: .nhd)), chunkSize: 4)
        #expect(layout.kernelGroups.map(\.format) == [.latent, .planesBlocksSlotsHeads])
        #expect(layout.kernelGroups.map(\.layerIndices) == [[0, 2], [1]])
        #expect(layout.objectGroups.count == 1)
        #expect(layout.objectGroups[0].layout.parts.map(\.shape) == [[1, 2, 4, 9], [2, 1, 4, 15]])
    }

    @Test func reportsNameTheShapeAsUpstreamDoes() throws {
        let tensors = Array(repeating: tensor([2, 256, 16, 8, 128]), count: 4)
        let layout = try detect(registration(tensors, hints: .init(kvLayout: .nhd)), chunkSize: 16)
        #expect(layout.kernelGroups[0].concreteShape == "4 x [2, 256, 16, 8, 128]")
        #expect(layout.kernelGroups[0].format.symbolicShape == "NL x [2, NB, BS, NH, HS]")
        #expect(layout.bytesPerToken == 16_384)
        #expect(layout.blockCount == 256 && layout.layerCount == 4 && layout.tensorCount == 4)
    }

    @Test func anIdMustBeValidInEveryLayer() throws {
        let layout = try detect(registration([tensor([6, 4, 9]), tensor([5, 4, 9])]), chunkSize: 4)
        #expect(layout.kernelGroups.map(\.blockCount) == [5])
    }
}
