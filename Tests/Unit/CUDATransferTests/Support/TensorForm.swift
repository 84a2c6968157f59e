// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Shapes, hints and groups of one kind of engine, small.
struct TensorForm: Sendable, CustomStringConvertible {
    let description: String
    let engine: EngineKind
    let tensors: [TensorDescription]
    let hints: LayoutHints
    var groups: [EngineGroup] = []
    let chunkSize: Int
    var isSeparate = false

    init(
        _ description: String, _ engine: EngineKind = .vllm, shapes: [[Int]], type: ElementType = .bfloat16,
        padding: Int = 0, hints: LayoutHints, groups: [EngineGroup] = [], chunkSize: Int = 8, isSeparate: Bool = false
    ) {
        self.description = description
        self.engine = engine
        self.tensors = shapes.map { shape in
            var stride = [1]
            for size in shape.dropFirst().reversed() { stride.insert(stride[0] * size, at: 0) }
            stride[0] += padding
            return TensorDescription(elementType: type, shape: shape, stride: stride, storageOffset: 0)
        }
        self.hints = hints
        self.groups = groups
        self.chunkSize = chunkSize
        self.isSeparate = isSeparate
    }

    private init(joining first: TensorForm, _ second: TensorForm, groups: [EngineGroup], _ description: String) {
        self.description = description
        self.engine = first.engine
        self.tensors = first.tensors + second.tensors
        self.hints = first.hints
        self.groups = groups
        self.chunkSize = first.chunkSize
    }

    private static let nhd = LayoutHints(kvLayout: .nhd)
    private static let hnd = LayoutHints(kvLayout: .hnd)

    /// Every layout that CUDA engines use; blocks of 4 slots, chunks of 8 tokens, at least 9 blocks.
    static let all: [TensorForm] = [
        TensorForm("vLLM NHD, planes first", shapes: Array(repeating: [2, 9, 4, 3, 8], count: 3), hints: nhd),
        TensorForm("vLLM NHD, blocks first", shapes: Array(repeating: [9, 2, 4, 3, 8], count: 2), hints: nhd),
        TensorForm("vLLM HND, planes first", shapes: Array(repeating: [2, 9, 3, 4, 8], count: 2), hints: hnd),
        TensorForm(
            "vLLM HND, blocks first, float8", shapes: Array(repeating: [9, 2, 3, 4, 8], count: 2),
            type: .float8e4m3fn, hints: hnd),
        TensorForm("vLLM packed HND", shapes: Array(repeating: [9, 3, 4, 16], count: 2), padding: 64, hints: hnd),
        TensorForm("vLLM packed NHD", shapes: Array(repeating: [9, 4, 3, 16], count: 2), padding: 24, hints: nhd),
        TensorForm("MLA", shapes: Array(repeating: [9, 4, 9], count: 3), padding: 5, hints: nhd),
        TensorForm(
            "MLA, float8, odd rows", shapes: Array(repeating: [9, 4, 9], count: 3), type: .float8e5m2, hints: nhd),
        TensorForm("HND of odd rows", shapes: [[2, 9, 3, 4, 5]], type: .uint8, hints: hnd),
        TensorForm(
            "SGLang keys then values", .sglang, shapes: Array(repeating: [36, 2, 8], count: 4),
            hints: LayoutHints(tokensPerBlock: 4, listLayout: .keysThenValues)),
        TensorForm(
            "SGLang unified", .sglang, shapes: Array(repeating: [9, 4, 2, 8], count: 3),
            hints: LayoutHints(listLayout: .unified)),
        TensorForm(
            "TensorRT-LLM pool", .trtllm, shapes: [[9, 3, 2, 2 * 4 * 8]],
            hints: LayoutHints(kvHeadCount: 2, tokensPerBlock: 4, headDimension: 8)),
        Self.groupsOfTwoShapes,
        TensorForm(
            "window below a chunk", shapes: Array(repeating: [2, 9, 4, 3, 8], count: 2), hints: nhd,
            groups: [
                EngineGroup(engineGroupID: 0, layerIndices: [0], tokensPerBlock: 4),
                EngineGroup(engineGroupID: 1, layerIndices: [1], tokensPerBlock: 4, slidingWindowTokens: 4),
            ], isSeparate: true),
        TensorForm("one large block", shapes: [[2, 9, 4, 8, 160]], hints: hnd),
    ]

    private static var groupsOfTwoShapes: TensorForm {
        TensorForm(
            joining: TensorForm("", shapes: Array(repeating: [2, 9, 4, 3, 8], count: 2), hints: nhd),
            TensorForm("", shapes: [[9, 4, 9]], hints: nhd),
            groups: [
                EngineGroup(engineGroupID: 0, layerIndices: [0, 1], tokensPerBlock: 4),
                EngineGroup(engineGroupID: 1, layerIndices: [2], tokensPerBlock: 4),
            ], "two groups of two shapes")
    }
}
