// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Glibc
import KVModel

/// A worker of the smallest KV cache there is, which lets the server copy from a shared segment.
final class StoringWorker {
    private static let layerShape = [2, 20, 16, 1, 4]
    /// One chunk's object: 2 planes x 256 slots x 4 elements of 2 bytes, one page of the pool.
    static let objectByteCount = 4_096
    private let client: CacheClient
    private let instance = InstanceID(Int64(getpid()))

    init(port: UInt16) throws {
        self.client = try CacheClient(port: port)
        let byteCount = Self.layerShape.reduce(2, *)
        let segment = try SharedSegment(name: "/lmcache_kv_\(getpid())_0", byteCount: byteCount)
        // The server keeps its own mapping; nothing is left behind when this program is killed.
        defer { segment.unlink() }
        let registration = KVCacheRegistration(
            instanceID: self.instance, modelName: Workload.modelName, worldSize: 1, engine: .vllm,
            tensors: [
                planesFirstTensor(
                    shape: Self.layerShape, segmentName: segment.name, segmentByteCount: byteCount, offset: 0)
            ],
            hints: LayoutHints(kvLayout: .nhd), groups: [])
        try self.client.call(.registerKVCache, RegisterRequest(registration: registration).encodedPayloads())
    }

    /// Stores all chunks of a prompt and ends the session.
    func store(_ tokens: [UInt32], requestID: String) throws {
        let chunkCount = tokens.count / Workload.chunkSize
        let blocks = (0..<chunkCount).flatMap { _ in Int32(1)...16 }
        let request = StoreRequest(
            key: Workload.key(tokens, requestID: requestID, worker: 0), instance: self.instance, blockIDs: [blocks],
            event: EventHandle.cpuStub)
        let reply = try TransferReply(frame: try self.client.call(.store, request.encodedPayloads()))
        guard reply.ok else { throw BenchmarkError.refused(operation: "store", reason: "not ok") }
        try self.client.call(.endSession, EndSessionRequest(requestID: requestID).encodedPayloads())
    }

    func unregister() throws {
        try self.client.call(.unregisterKVCache, UnregisterRequest(instance: self.instance).encodedPayloads())
    }
}

/// Descriptor of one layer `[2, blocks, slots, heads, size]` of bfloat16 elements, `offset` bytes into a segment.
func planesFirstTensor(
    shape: [Int], segmentName: String, segmentByteCount: Int, offset: Int
) -> MemoryDescriptor {
    var stride = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { stride[axis] = stride[axis + 1] * shape[axis + 1] }
    return MemoryDescriptor(
        storage: .cpuSharedMemory(name: segmentName, byteCount: segmentByteCount),
        tensor: TensorDescription(elementType: .bfloat16, shape: shape, stride: stride, storageOffset: offset / 2),
        deviceUUID: "cpu")
}
