// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Glibc
import KVModel
import NativeThreads

/// Copies of whole chunks between an engine's paged memory and the arena, beside memcpy of as many bytes.
///
/// 28 layers x `[2, blocks, 16, 8, 128]` bfloat16; chunks of 256 tokens; every chunk's blocks drawn from a shuffled list.
/// Eight chunks are used in turn, several times the last cache, so that each copy meets cold memory.
struct CopyMeasurement {
    private static let layerCount = 28
    private static let chunkCount = 8
    private static let blocksPerChunk = 16
    private static let blockCount = chunkCount * blocksPerChunk + 1
    private static let shape = [2, blockCount, 16, 8, 128]

    private let pages: SharedSegment
    private let arena: SharedSegment
    private let memory: any EngineMemory
    private let objectByteCount: Int
    private let blockIDs: [Int32]

    /// Runs `roundCount` rounds of one memcpy, one gather and one scatter each.
    static func run(roundCount: Int) throws -> CopyFigures {
        report("copy: \(roundCount) rounds")
        let layerBytes = Self.shape.reduce(2, *)
        let name = "/lmcache_kv_\(getpid())_copy"
        let pages = try SharedSegment(name: name, byteCount: layerBytes * Self.layerCount)
        defer { pages.unlink() }
        let tensors = (0..<Self.layerCount).map {
            planesFirstTensor(
                shape: Self.shape, segmentName: name, segmentByteCount: pages.byteCount, offset: $0 * layerBytes)
        }
        let registration = KVCacheRegistration(
            instanceID: InstanceID(1), modelName: Workload.modelName, worldSize: 1, engine: .vllm, tensors: tensors,
            hints: LayoutHints(kvLayout: .nhd), groups: [])
        let layout = try KVCacheLayout.detect(
            registration, chunkSize: Workload.chunkSize, separateObjectGroups: false, deviceIsCPU: true)
        let objectBytes = layout.objectGroups[0].layout.byteCount
        let arena = try SharedSegment(name: name + "_arena", byteCount: objectBytes * Self.chunkCount)
        defer { arena.unlink() }
        let device = CPUTransferDevice(arena: ArenaView(base: arena.base, byteCount: arena.byteCount), queueLimit: 4)
        defer { device.stop() }
        let memory = try device.open(registration, layout: layout)
        defer { memory.close() }
        var random = SplitMix64(7)
        let blocks = (1..<Int32(Self.blockCount)).shuffled(using: &random)
        let measurement = CopyMeasurement(
            pages: pages, arena: arena, memory: memory, objectByteCount: objectBytes, blockIDs: blocks)
        return try measurement.rounds(roundCount)
    }

    private func rounds(_ count: Int) throws -> CopyFigures {
        var figures = CopyFigures(byteCount: self.objectByteCount)
        for round in 0..<count + 2 {
            let plain = self.plainCopy(chunk: round % Self.chunkCount)
            let gather = try self.transfer(.store, chunk: (round + 3) % Self.chunkCount)
            let scatter = try self.transfer(.load, chunk: (round + 6) % Self.chunkCount)
            if round < 2 { continue }  // warms up
            figures.plain.append(plain)
            figures.gather.append(gather)
            figures.scatter.append(scatter)
        }
        return figures
    }

    private func plainCopy(chunk: Int) -> Duration {
        let offset = chunk * self.objectByteCount
        let began = ContinuousClock.now
        memcpy(self.arena.base + offset, self.pages.base + offset, self.objectByteCount)
        return ContinuousClock.now - began
    }

    private func transfer(_ direction: Transfer.Direction, chunk: Int) throws -> Duration {
        let done = BoundedQueue<Bool>(capacity: 1)
        let first = chunk * Self.blocksPerChunk
        let object = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: chunk * self.objectByteCount, byteCount: self.objectByteCount),
            blockIDs: [self.blockIDs[first..<first + Self.blocksPerChunk]])
        let transfer = Transfer(
            direction: direction, objects: [object], event: [], enqueued: { _ in }, completed: { _ = done.push($0) })
        let began = ContinuousClock.now
        guard self.memory.submit(transfer), done.pop() == true else {
            throw BenchmarkError.unexpected("a copy of one chunk failed")
        }
        return ContinuousClock.now - began
    }
}
