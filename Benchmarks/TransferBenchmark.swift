// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Glibc
import KVModel
import Synchronization

/// Measures stores and loads of the CPU device against plain memcpy of the same bytes.
///
/// 28 layers of `[2, blocks, 16, 8, 128]` bfloat16 (or heads before slots), chunks of 256 tokens, shuffled blocks.
package struct TransferBenchmark {
    /// Best rate of each kind, in bytes a second.
    package struct Rates {
        package var store = 0.0
        package var load = 0.0
        /// One call a chunk.
        package var wholeCopy = 0.0
        /// One call for each 32 KiB.
        package var pieceCopy = 0.0
    }

    private static let layers = 28
    private static let chunkCount = 8

    /// Runs every kind `rounds` times, in turns.
    package static func run(isHeadMajor: Bool, blocks: Int, rounds: Int) throws -> Rates {
        let shape = isHeadMajor ? [2, blocks, 8, 16, 128] : [2, blocks, 16, 8, 128]
        let layerBytes = shape.reduce(2, *)
        let names = (0..<Self.layers).map { "/lmcache_bench_\(getpid())_\($0)" }
        let engine = names.map { Self.segment($0, byteCount: layerBytes) }
        defer { for name in names { shm_unlink(name) } }
        let registration = Self.registration(names, shape: shape, byteCount: layerBytes, isHeadMajor: isHeadMajor)
        let layout = try KVCacheLayout.detect(
            registration, chunkSize: 256, separateObjectGroups: false, deviceIsCPU: true)
        let size = layout.objectGroups[0].layout.byteCount
        let base = Self.segment("/lmcache_bench_\(getpid())_arena", byteCount: size * Self.chunkCount)
        shm_unlink("/lmcache_bench_\(getpid())_arena")
        let arena = ArenaView(base: base, byteCount: size * Self.chunkCount)
        let device = CPUTransferDevice(arena: arena, queueLimit: 4)
        defer { device.stop() }
        let memory = try device.open(registration, layout: layout)
        let ids = (0..<Int32(blocks)).shuffled()
        let objects = (0..<Self.chunkCount).map { chunk in
            ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: chunk * size, byteCount: size),
                blockIDs: [ids[chunk * 16..<chunk * 16 + 16]])
        }
        var rates = Rates()
        let bytes = Double(size * Self.chunkCount)
        for _ in 0..<rounds {
            rates.wholeCopy = max(
                rates.wholeCopy, bytes / Self.seconds { Self.copy(engine, base, size, piece: layerBytes) })
            rates.pieceCopy = max(
                rates.pieceCopy, bytes / Self.seconds { Self.copy(engine, base, size, piece: 32_768) })
            rates.store = max(
                rates.store, bytes / Self.seconds { Self.transfer(memory, .store, objects) })
            rates.load = max(
                rates.load, bytes / Self.seconds { Self.transfer(memory, .load, objects) })
        }
        return rates
    }

    private static func copy(
        _ engine: [UnsafeMutableRawPointer], _ base: UnsafeMutableRawPointer, _ size: Int, piece: Int
    ) {
        let share = size * Self.chunkCount / engine.count
        for (index, source) in engine.enumerated() {
            for start in stride(from: 0, to: share, by: piece) {
                memcpy(base + index * share + start, source + start, min(piece, share - start))
            }
        }
    }

    private static func transfer(_ memory: any EngineMemory, _ direction: Transfer.Direction, _ objects: [ObjectCopy]) {
        let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
        nonisolated(unsafe) let done = semaphore
        let transfer = Transfer(
            direction: direction, objects: objects, event: [], enqueued: { _ in sem_post(done) }, completed: { _ in })
        precondition(memory.submit(transfer), "the queue has room")
        while sem_wait(semaphore) != 0 {}
        semaphore.deallocate()
    }

    private static func seconds(_ body: () -> Void) -> Double {
        let clock = ContinuousClock()
        let duration = clock.measure(body)
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private static func segment(_ name: String, byteCount: Int) -> UnsafeMutableRawPointer {
        let descriptor = shm_open(name, O_RDWR | O_CREAT, 0o600)
        precondition(ftruncate(descriptor, byteCount) == 0, "ftruncate")
        guard let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), base != MAP_FAILED
        else { preconditionFailure("mmap") }
        close(descriptor)
        memset(base, 0x5a, byteCount)
        return base
    }

    private static func registration(
        _ names: [String], shape: [Int], byteCount: Int, isHeadMajor: Bool
    ) -> KVCacheRegistration {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in stride(from: shape.count - 2, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        }
        let description = TensorDescription(elementType: .bfloat16, shape: shape, stride: strides, storageOffset: 0)
        let tensors = names.map {
            MemoryDescriptor(
                storage: .cpuSharedMemory(name: $0, byteCount: byteCount), tensor: description, deviceUUID: "cpu")
        }
        return KVCacheRegistration(
            instanceID: InstanceID(1), modelName: "m", worldSize: 1, engine: .vllm, tensors: tensors,
            hints: LayoutHints(kvLayout: isHeadMajor ? .hnd : .nhd), groups: [])
    }
}
