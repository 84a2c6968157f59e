// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// A prompt and what an engine's block must hold after each of its blocks was computed.
package struct Prompt: Sendable {
    package let tokens: [UInt32]

    package init(tokens: [UInt32]) { self.tokens = tokens }

    /// Whole chunks of tokens that belong to `text` alone.
    package init(text: UInt32, chunks: Int) {
        self.tokens = (0..<UInt32(chunks * SimulatedServer.chunkSize)).map { text * 10_000 + $0 }
    }

    package var chunkCount: Int { self.tokens.count / SimulatedServer.chunkSize }

    /// The number that stands for the tokens up to the end of block `index` and for what computed it; never 0.
    package func content(block index: Int, variant: UInt64 = 0) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325 ^ (variant &* 0x9E37_79B9_7F4A_7C15)
        for token in self.tokens.prefix((index + 1) * SimulatedServer.blockSize) {
            value = (value ^ UInt64(token)) &* 0x0000_0100_0000_01B3
        }
        return value | 1
    }

    /// A key over whole chunks; `rank` nil is a scheduler's.
    package func key(
        _ chunks: Range<Int>? = nil, request: String, model: String = "model", rank: Int? = 0, worldSize: Int = 1,
        readers: Int = 0, salt: String = ""
    ) -> CacheKey {
        let chunks = chunks ?? 0..<self.chunkCount
        return CacheKey(
            modelName: model, worldSize: worldSize, workerID: rank, tokenIDs: self.tokens,
            start: chunks.lowerBound * SimulatedServer.chunkSize, end: chunks.upperBound * SimulatedServer.chunkSize,
            requestID: request, cacheSalt: salt, readerCount: readers)
    }
}

extension KVCacheRegistration {
    /// A worker with one tensor of 256 blocks for each group; no groups: one group without a window.
    package static func simulated(
        instance: Int64, model: String = "model", worldSize: Int = 1, engine: EngineKind = .vllm,
        elementType: ElementType = .bfloat16, windows: [Int] = [], name: String = "/fake"
    ) -> KVCacheRegistration {
        let shape = [2, 256, SimulatedServer.blockSize, 1, 8]
        var stride = [1]
        for size in shape.dropFirst().reversed() { stride.insert(stride[0] * size, at: 0) }
        let tensor = TensorDescription(elementType: elementType, shape: shape, stride: stride, storageOffset: 0)
        let storage = MemoryDescriptor.Storage.cpuSharedMemory(name: name, byteCount: tensor.byteSpan ?? 0)
        return KVCacheRegistration(
            instanceID: InstanceID(instance), modelName: model, worldSize: worldSize, engine: engine,
            tensors: Array(
                repeating: MemoryDescriptor(storage: storage, tensor: tensor, deviceUUID: "cpu"),
                count: max(1, windows.count)),
            hints: LayoutHints(kvLayout: .nhd),
            groups: windows.enumerated().map { index, window in
                EngineGroup(
                    engineGroupID: index, layerIndices: [index], tokensPerBlock: SimulatedServer.blockSize,
                    slidingWindowTokens: window)
            })
    }
}

extension EngineDrivenRegistration {
    /// A worker whose objects have the bytes of ``KVCacheRegistration/simulated(instance:)``.
    package static func simulated(
        instance: Int64, model: String = "model", worldSize: Int = 1, elementType: ElementType = .bfloat16
    ) -> EngineDrivenRegistration {
        EngineDrivenRegistration(
            instanceID: InstanceID(instance), modelName: model, worldSize: worldSize,
            blockSize: SimulatedServer.blockSize, layerCount: 1, hiddenSize: 8, elementType: elementType,
            isMLA: false, slotCount: nil)
    }
}

extension KVCacheRegistration {
    /// A TensorRT-LLM worker: one tensor for all layers, no placeholder block.
    package static func simulatedTRTLLM(instance: Int64, model: String = "model") -> KVCacheRegistration {
        let tensor = TensorDescription(
            elementType: .bfloat16, shape: [256, 1, 2, 32], stride: [64, 64, 32, 1], storageOffset: 0)
        let storage = MemoryDescriptor.Storage.cpuSharedMemory(name: "/fake", byteCount: tensor.byteSpan ?? 0)
        return KVCacheRegistration(
            instanceID: InstanceID(instance), modelName: model, worldSize: 1, engine: .trtllm,
            tensors: [MemoryDescriptor(storage: storage, tensor: tensor, deviceUUID: "cpu")],
            hints: LayoutHints(kvHeadCount: 1, tokensPerBlock: SimulatedServer.blockSize, headDimension: 8), groups: [])
    }
}
