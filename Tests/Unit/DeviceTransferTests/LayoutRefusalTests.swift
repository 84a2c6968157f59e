// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

struct RefusalRow: Sendable, CustomTestStringConvertible {
    let registration: KVCacheRegistration
    var chunkSize = 8
    /// Words that the text must have.
    let words: [String]

    var testDescription: String { self.words.joined(separator: " ") }

    static let indexer = tensor([6, 4, 132], type: .uint8)
    static let pairs = LayoutHints(tokensPerBlock: 4, listLayout: .keysThenValues)
    static let oneTensor = LayoutHints(kvHeadCount: 3, tokensPerBlock: 4, headDimension: 5)

    static let all: [RefusalRow] = [
        .init(registration: DeviceTransferTests.registration([]), words: ["kv_caches is empty"]),
        row([indexer], words: ["tensor 0", "format 14", "132"]),
        row([tensor([6, 1, 4, 132], type: .uint8)], hints: .init(kvLayout: .hnd), words: ["format 14"]),
        row([tensor([6, 4, 1, 132], type: .uint8)], hints: .init(kvLayout: .nhd), words: ["format 14"]),
        row([tensor([2, 6, 3, 1, 4, 5])], words: ["format 15", "RBLN"]),
        row([tensor([3, 6, 4, 3, 5])], words: ["tensor 0", "[3, 6, 4, 3, 5]", "accepted are", "16 and 17"]),
        row([tensor([6, 4])], words: ["[6, 4]", "accepted are"]),
        row([tensor([6])], words: ["[6]"]),
        row([tensor([], stride: [])], words: ["tensor 0", "no elements"]),
        row([tensor([6, 0, 9])], words: ["[6, 0, 9]", "at least 1"]),
        row([tensor([6, 4, 9]), tensor([6, 4, 9], stride: [36, 18, 2])], words: ["tensor 1", "gaps"]),
        row([tensor([6, 4, 9], stride: [36, 0, 1])], words: ["gaps"]),
        row([tensor([6, 4, 9], stride: [0, 9, 1])], words: ["gaps"]),
        row([tensor([6, 4, 9], stride: [9, 1])], words: ["equal ranks"]),
        row([tensor([6, 4, 9], stride: [.max, 9, 1])], words: ["63 bits"]),
        row([tensor([-6, 4, 9], stride: [36, 9, 1])], words: ["not be negative"]),
        row(
            [tensor([2, 6, 4, 3, 5], stride: [400, 60, 15, 5, 1])], hints: .init(kvLayout: .nhd),
            words: ["padded", "NL_X_TWO_NB_BS_NH_HS"]),
        row([tensor([6, 4, 9])], engine: .mock, words: ["mock"]),
        row([tensor([6, 4, 3, 9])], engine: .atom, words: ["atom", "[blocks, slots, size]"]),
        row([tensor([6, 9])], engine: .sglang, hints: .init(listLayout: .unified), words: ["unified"]),
        row([tensor([24, 1, 9])], engine: .sglang, words: ["tokens_per_block"]),
        row([tensor([24, 3, 9])], engine: .sglang, hints: .init(tokensPerBlock: 4), words: ["k_v"]),
        row([tensor([24, 1, 9])], engine: .sglang, hints: .init(tokensPerBlock: 5), words: ["24", "multiple", "5"]),
        row([tensor([24, 1, 9])], engine: .sglang, hints: .init(tokensPerBlock: 0), words: ["multiple"]),
        row([tensor([24, 1, 9])], engine: .sglang, hints: .init(tokensPerBlock: -4), words: ["multiple"]),
        row(
            [tensor([24, 1, 9], stride: [10, 9, 1])], engine: .sglang, hints: .init(tokensPerBlock: 4),
            words: ["padded"]),
        row([tensor([24, 3, 5])], engine: .sglang, hints: pairs, words: ["even count"]),
        row([tensor([24, 3, 5]), tensor([24, 3, 6])], engine: .sglang, hints: pairs, words: ["tensors 0 and 1"]),
        row(
            [tensor([24, 3, 5]), tensor([24, 3, 5], type: .int8)], engine: .sglang, hints: pairs, words: ["dtype"]),
        row([tensor([24, 3, 5, 2]), tensor([24, 3, 5, 2])], engine: .sglang, hints: pairs, words: ["k_v"]),
        row([tensor([6, 7, 3, 60])], engine: .trtllm, hints: oneTensor, words: ["[6, 7, 3, 60]", "one tensor"]),
        row([tensor([6, 7, 60])], engine: .trtllm, hints: oneTensor, words: ["one tensor"]),
        row(
            [tensor([6, 7, 2, 60]), tensor([6, 7, 2, 60])], engine: .trtllm, hints: oneTensor, words: ["2 tensors"]),
        row([tensor([6, 7, 2, 60])], engine: .trtllm, words: ["num_kv_heads", "head_dim"]),
        row([tensor([6, 7, 2, 61])], engine: .trtllm, hints: oneTensor, words: ["61"]),
        row(
            [tensor([6, 7, 2, 60])], engine: .trtllm,
            hints: .init(kvHeadCount: .max, tokensPerBlock: .max, headDimension: 4), words: ["60"]),
        row([tensor([1, 100_000, 2, 60])], engine: .trtllm, hints: oneTensor, words: ["100000 layers"]),
        row([tensor([6, 3, 9])], words: ["chunk size 8", "multiple of 3"]),
        row([tensor([6, 4, 1 << 40], stride: [1 << 42, 1 << 40, 1])], words: ["one chunk"]),
    ]

    private static func row(
        _ tensors: [MemoryDescriptor], engine: EngineKind = .vllm, hints: LayoutHints = LayoutHints(),
        words: [String]
    ) -> RefusalRow {
        RefusalRow(registration: DeviceTransferTests.registration(tensors, engine: engine, hints: hints), words: words)
    }
}

@Suite struct LayoutRefusalTests {
    @Test(arguments: RefusalRow.all)
    func aRefusalSaysWhatWasGivenAndWhatIsAccepted(_ row: RefusalRow) {
        do {
            let layout = try detect(row.registration, chunkSize: row.chunkSize)
            Issue.record("accepted as \(layout.kernelGroups)")
        } catch {
            for word in row.words { #expect("\(error)".contains(word), "\(error)") }
        }
    }

    @Test func anyFiguresAreAnsweredWithoutTrapping() {
        var random = SeededRandom(11)
        let numbers = [0, 1, 2, 2, 3, 4, 8, 16, 132, -1, .max, .min, 1 << 31, 1 << 62]
        for _ in 0..<20_000 {
            let tensors = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                let rank = Int.random(in: 0...6, using: &random)
                let shape = (0..<rank).map { _ in numbers.randomElement(using: &random) ?? 0 }
                let isTight = Bool.random(using: &random) && shape.allSatisfy { (0...16).contains($0) } && rank > 0
                let stride =
                    isTight ? strides(of: shape) : (0..<rank).map { _ in numbers.randomElement(using: &random) ?? 0 }
                let type = ElementType.allCases.randomElement(using: &random) ?? .uint8
                return tensor(shape, stride: stride, type: type, offset: numbers.randomElement(using: &random) ?? 0)
            }
            let pick = { (random: inout SeededRandom) in numbers.randomElement(using: &random) }
            let hints = LayoutHints(
                kvLayout: LayoutHints.KVLayout.allCases.randomElement(using: &random), kvHeadCount: pick(&random),
                tokensPerBlock: pick(&random),
                listLayout: LayoutHints.ListLayout.allCases.randomElement(using: &random),
                headDimension: pick(&random))
            let groups = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                EngineGroup(
                    engineGroupID: pick(&random) ?? 0, layerIndices: [0, pick(&random) ?? 0],
                    tokensPerBlock: pick(&random) ?? 0, slidingWindowTokens: pick(&random) ?? 0,
                    extraObjectGroupTag: pick(&random) ?? 0, isRecurrentState: Bool.random(using: &random))
            }
            let registration = registration(
                tensors, engine: EngineKind.allCases.randomElement(using: &random) ?? .vllm, hints: hints,
                groups: groups)
            let layout = try? KVCacheLayout.detect(
                registration, chunkSize: [1, 8, 256, .max].randomElement(using: &random) ?? 8,
                separateObjectGroups: Bool.random(using: &random), deviceIsCPU: true)
            #expect((layout?.bytesPerToken ?? 1) >= 0)
        }
    }
}
