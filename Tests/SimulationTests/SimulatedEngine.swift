// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import DeviceTransfer
import KVModel
import L1Cache
import Synchronization

/// A prompt and what an engine's block must hold after each of its blocks was computed.
struct Prompt: Sendable {
    let tokens: [UInt32]

    /// The number that stands for the tokens up to the end of block `index`; never 0.
    func content(block index: Int) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for token in self.tokens.prefix((index + 1) * SimulatedServer.blockSize) {
            value = (value ^ UInt64(token)) &* 0x0000_0100_0000_01B3
        }
        return value | 1
    }

    var chunkCount: Int { self.tokens.count / SimulatedServer.chunkSize }
}

/// One engine: a scheduler connection, a worker connection and a registered memory.
struct SimulatedEngine {
    static let blocksPerChunk = SimulatedServer.chunkSize / SimulatedServer.blockSize
    static let blockCount = 256

    let instance: InstanceID
    var scheduler: ConnectionID
    var worker: ConnectionID
    private var nextBlock = 0

    init(number: Int) {
        self.instance = InstanceID(Int64(number))
        self.scheduler = ConnectionID(UInt64(number) * 1000)
        self.worker = ConnectionID(UInt64(number) * 1000 + 1)
    }

    func registration() -> KVCacheRegistration {
        let shape = [2, Self.blockCount, SimulatedServer.blockSize, 1, 8]
        var stride = [1]
        for size in shape.dropFirst().reversed() { stride.insert(stride[0] * size, at: 0) }
        let tensor = TensorDescription(elementType: .bfloat16, shape: shape, stride: stride, storageOffset: 0)
        let storage = MemoryDescriptor.Storage.cpuSharedMemory(name: "/fake", byteCount: tensor.byteSpan ?? 0)
        return KVCacheRegistration(
            instanceID: self.instance, modelName: "model", worldSize: 1, engine: .vllm,
            tensors: [MemoryDescriptor(storage: storage, tensor: tensor, deviceUUID: "cpu")],
            hints: LayoutHints(kvLayout: .nhd), groups: [])
    }

    /// Fresh blocks for a number of chunks; the pool is large enough that none is reused while a transfer is open.
    mutating func takeBlocks(chunks: Int) -> [Int] {
        let count = chunks * Self.blocksPerChunk
        if self.nextBlock + count > Self.blockCount { self.nextBlock = 0 }
        defer { self.nextBlock += count }
        return Array(self.nextBlock..<self.nextBlock + count)
    }

    func key(_ prompt: Prompt, request: String, chunks: Range<Int>, isScheduler: Bool) -> CacheKey {
        CacheKey(
            modelName: "model", worldSize: 1, workerID: isScheduler ? nil : 0, tokenIDs: prompt.tokens,
            start: chunks.lowerBound * SimulatedServer.chunkSize, end: chunks.upperBound * SimulatedServer.chunkSize,
            requestID: request, readerCount: isScheduler ? 1 : 0)
    }
}
