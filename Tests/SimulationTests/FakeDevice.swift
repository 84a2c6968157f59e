// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import Synchronization

/// A device whose copies run when the test says so, in order, and fail when the test says so.
///
/// A block of the fake engine holds one number, which stands for the tokens up to its end; an object's bytes are its
/// blocks' numbers, repeated. So one wrong byte anywhere shows as a wrong number in a block.
final class FakeDevice: TransferDevice {
    let name = "cpu"
    private let arena: ArenaView
    private let jobs = Mutex<[(memory: FakeEngineMemory, transfer: Transfer)]>([])
    private let memories = Mutex<[InstanceID: FakeEngineMemory]>([:])
    private let limit: Int

    init(arena: ArenaView, limit: Int) {
        self.arena = arena
        self.limit = limit
    }

    var pendingCount: Int { self.jobs.withLock { $0.count } }

    func accepts(_ descriptors: [MemoryDescriptor]) -> Bool { true }

    func open(_ registration: KVCacheRegistration, layout: KVCacheLayout) throws(DeviceError) -> any EngineMemory {
        let memory = FakeEngineMemory(device: self, layout: layout)
        self.memories.withLock { $0[registration.instanceID] = memory }
        return memory
    }

    func memory(of instance: InstanceID) -> FakeEngineMemory? { self.memories.withLock { $0[instance] } }

    func enqueue(_ transfer: Transfer, memory: FakeEngineMemory) -> Bool {
        self.jobs.withLock { jobs in
            guard jobs.count < self.limit else { return false }
            jobs.append((memory, transfer))
            return true
        }
    }

    /// Runs the oldest job. With `failing` half of its bytes are copied and the job fails.
    func runNext(failing: Bool) {
        guard let job = self.jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
        for (index, object) in job.transfer.objects.enumerated() {
            if failing, index * 2 >= job.transfer.objects.count { break }
            switch job.transfer.direction {
            case .store: self.store(object, job.memory, isTorn: failing)
            case .load: self.load(object, job.memory, protected: job.transfer.protectedBlockID)
            }
        }
        job.transfer.completed(!failing)
        job.transfer.enqueued(failing ? .failure(.closed) : .success(Array("stub_ipc_handle".utf8)))
    }

    func stop() { while self.pendingCount > 0 { self.runNext(failing: true) } }

    private func words(_ place: ArenaRange) -> UnsafeMutableBufferPointer<UInt64> {
        precondition(place.offset >= 0 && place.offset + place.byteCount <= self.arena.byteCount, "outside the arena")
        let start = (self.arena.base + place.offset).assumingMemoryBound(to: UInt64.self)
        return UnsafeMutableBufferPointer(start: start, count: place.byteCount / 8)
    }

    private func store(_ object: ObjectCopy, _ memory: FakeEngineMemory, isTorn: Bool) {
        let words = self.words(object.place)
        let blocks = object.blockIDs[0]
        for index in words.indices {
            let block = blocks[blocks.startIndex + index % blocks.count]
            words[index] = isTorn && index % 3 == 0 ? 0xDEAD : memory.content(of: block)
        }
    }

    private func load(_ object: ObjectCopy, _ memory: FakeEngineMemory, protected: Int32?) {
        let words = self.words(object.place)
        let blocks = object.blockIDs[0]
        let skip = object.skipBlocks.first ?? 0
        for (index, block) in blocks.enumerated() where index >= skip && block != protected {
            var value = words[index]
            // Every repetition must agree, or the object is torn.
            for position in stride(from: index, to: words.count, by: blocks.count) where words[position] != value {
                value = 0xBAD
            }
            memory.setContent(of: block, value)
        }
    }
}

final class FakeEngineMemory: EngineMemory {
    let layout: KVCacheLayout
    private let device: FakeDevice
    private let blocks = Mutex<[Int32: UInt64]>([:])
    private let isClosed = Mutex(false)

    init(device: FakeDevice, layout: KVCacheLayout) {
        self.device = device
        self.layout = layout
    }

    func content(of block: Int32) -> UInt64 { self.blocks.withLock { $0[block] ?? 0 } }

    func setContent(of block: Int32, _ value: UInt64) { self.blocks.withLock { $0[block] = value } }

    func submit(_ transfer: Transfer) -> Bool {
        self.isClosed.withLock { $0 } ? false : self.device.enqueue(transfer, memory: self)
    }

    func checksums(
        blockIDs: [Int], blocksPerChunk: Int, layerwise: Bool,
        completion: @escaping @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void
    ) -> Bool { false }

    func close() { self.isClosed.withLock { $0 = true } }
}
