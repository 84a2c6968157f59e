// lmcache · SPDX-License-Identifier: Apache-2.0

/// The engine whose KV layout a registration describes; raw values as on the wire.
package enum EngineKind: String, Sendable, CaseIterable {
    case vllm, atom, sglang, trtllm, mock
}

/// What a client says about its tensors beside their shapes; nil where it said nothing.
package struct LayoutHints: Sendable, Equatable {
    package enum KVLayout: String, Sendable, CaseIterable {
        case nhd = "NHD"
        case hnd = "HND"
        case blhnc = "BLHNC"
        case blnhc = "BLNHC"
    }

    package enum ListLayout: String, Sendable, CaseIterable {
        case keysThenValues = "k_v"
        case unified
    }

    package var kvLayout: KVLayout?
    package var kvHeadCount: Int?
    package var tokensPerBlock: Int?
    package var listLayout: ListLayout?
    package var headDimension: Int?

    package init(
        kvLayout: KVLayout? = nil, kvHeadCount: Int? = nil, tokensPerBlock: Int? = nil, listLayout: ListLayout? = nil,
        headDimension: Int? = nil
    ) {
        self.kvLayout = kvLayout
        self.kvHeadCount = kvHeadCount
        self.tokensPerBlock = tokensPerBlock
        self.listLayout = listLayout
        self.headDimension = headDimension
    }
}

/// One group of layers that share block ids, as the engine numbers them. Wire protocol §2.1, `EngineGroupInfo`.
package struct EngineGroup: Sendable, Equatable {
    package var engineGroupID: Int
    /// Indices into the registered tensors.
    package var layerIndices: [Int]
    /// Tokens that one block id stands for; 0 for the tensor's own slots per block.
    package var tokensPerBlock: Int
    /// Sliding window in tokens; -1 or 0 for full attention.
    package var slidingWindowTokens: Int
    package var extraObjectGroupTag: Int
    package var isRecurrentState: Bool

    package init(
        engineGroupID: Int, layerIndices: [Int] = [], tokensPerBlock: Int = 0, slidingWindowTokens: Int = -1,
        extraObjectGroupTag: Int = 0, isRecurrentState: Bool = false
    ) {
        self.engineGroupID = engineGroupID
        self.layerIndices = layerIndices
        self.tokensPerBlock = tokensPerBlock
        self.slidingWindowTokens = slidingWindowTokens
        self.extraObjectGroupTag = extraObjectGroupTag
        self.isRecurrentState = isRecurrentState
    }
}

/// What a worker registers in lmcache-driven mode.
package struct KVCacheRegistration: Sendable, Equatable {
    package var instanceID: InstanceID
    package var modelName: String
    package var worldSize: Int
    package var engine: EngineKind
    /// One descriptor a tensor, in layer order.
    package var tensors: [MemoryDescriptor]
    package var hints: LayoutHints
    /// Empty: every layer belongs to engine group 0.
    package var groups: [EngineGroup]

    package init(
        instanceID: InstanceID, modelName: String, worldSize: Int, engine: EngineKind, tensors: [MemoryDescriptor],
        hints: LayoutHints, groups: [EngineGroup]
    ) {
        self.instanceID = instanceID
        self.modelName = modelName
        self.worldSize = worldSize
        self.engine = engine
        self.tensors = tensors
        self.hints = hints
        self.groups = groups
    }
}

/// What a worker registers in engine-driven mode: one kernel group, one object group. Wire protocol §5.1.
package struct EngineDrivenRegistration: Sendable, Equatable {
    package var instanceID: InstanceID
    package var modelName: String
    package var worldSize: Int
    package var blockSize: Int
    package var layerCount: Int
    /// Heads × head size; the packed width for fused formats.
    package var hiddenSize: Int
    package var elementType: ElementType
    /// One plane instead of separate keys and values.
    package var isMLA: Bool
    /// Physical slots a chunk; nil for the chunk size.
    package var slotCount: Int?

    package init(
        instanceID: InstanceID, modelName: String, worldSize: Int, blockSize: Int, layerCount: Int, hiddenSize: Int,
        elementType: ElementType, isMLA: Bool, slotCount: Int?
    ) {
        self.instanceID = instanceID
        self.modelName = modelName
        self.worldSize = worldSize
        self.blockSize = blockSize
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.elementType = elementType
        self.isMLA = isMLA
        self.slotCount = slotCount
    }
}
