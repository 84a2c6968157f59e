// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer
package import KVModel
import Synchronization

/// A device whose copies run when the test says so, in order, and fail when the test says so.
///
/// A block of the fake engine holds one number, which stands for the tokens up to its end; an object's bytes are its
/// blocks' numbers, repeated. So one wrong byte anywhere shows as a wrong number in a block.
package final class FakeDevice: TransferDevice {
    private typealias Job = (memory: FakeEngineMemory, transfer: Transfer)

    package let name = "cpu"
    private let arena: ArenaView
    private let limit: Int
    private let jobs = Mutex<[Job]>([])
    private let memories = Mutex<[InstanceID: FakeEngineMemory]>([:])
    /// Submissions so far, and which of them are refused.
    private let refusals = Mutex<(submitted: Int, first: Int?, isSticky: Bool)>((0, nil, false))

    package init(arena: ArenaView, limit: Int) {
        self.arena = arena
        self.limit = limit
    }

    package var pendingCount: Int { self.jobs.withLock { $0.count } }

    /// Refuses submission `number` (from 0), as a full queue does; with `sticky` all from there on.
    package func refuse(submission number: Int, sticky: Bool) {
        self.refusals.withLock { $0 = (0, number, sticky) }
    }

    package func accepts(_ descriptors: [MemoryDescriptor]) -> Bool {
        descriptors.allSatisfy {
            switch $0.storage {
            case .cpuSharedMemory, .process: true
            default: false
            }
        }
    }

    package func open(
        _ registration: KVCacheRegistration, layout: KVCacheLayout
    ) throws(DeviceError) -> any EngineMemory {
        let memory = FakeEngineMemory(device: self, layout: layout)
        self.memories.withLock { $0[registration.instanceID] = memory }
        return memory
    }

    /// The latest memory that an instance registered.
    package func memory(of instance: InstanceID) -> FakeEngineMemory? { self.memories.withLock { $0[instance] } }

    func enqueue(_ transfer: Transfer, memory: FakeEngineMemory) -> Bool {
        let isRefused = self.refusals.withLock { refusals in
            defer { refusals.submitted += 1 }
            guard let first = refusals.first else { return false }
            return refusals.isSticky ? refusals.submitted >= first : refusals.submitted == first
        }
        guard !isRefused else { return false }
        return self.jobs.withLock { jobs in
            guard jobs.count < self.limit else { return false }
            jobs.append((memory, transfer))
            return true
        }
    }

    /// Runs the oldest job. With `failing` half of its bytes are copied and the job fails.
    package func runNext(failing: Bool = false) {
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

    package func runAll() { while self.pendingCount > 0 { self.runNext() } }

    package func stop() { while self.pendingCount > 0 { self.runNext(failing: true) } }

    private func words(_ place: ArenaRange) -> UnsafeMutableBufferPointer<UInt64> {
        precondition(place.offset >= 0 && place.offset + place.byteCount <= self.arena.byteCount, "outside the arena")
        let start = (self.arena.base + place.offset).assumingMemoryBound(to: UInt64.self)
        return UnsafeMutableBufferPointer(start: start, count: place.byteCount / 8)
    }

    /// Word `index` of an object belongs to kernel group `index % groups` and to one of that group's blocks.
    private func store(_ object: ObjectCopy, _ memory: FakeEngineMemory, isTorn: Bool) {
        let words = self.words(object.place)
        let kernels = memory.layout.objectGroups[object.objectGroup].kernelGroups
        for index in words.indices {
            let list = index % kernels.count
            let blocks = object.blockIDs[list]
            let block = blocks[blocks.startIndex + index / kernels.count % blocks.count]
            words[index] = isTorn && index % 3 == 0 ? 0xDEAD : memory.content(of: block, kernelGroup: kernels[list])
        }
    }

    private func load(_ object: ObjectCopy, _ memory: FakeEngineMemory, protected: Int32?) {
        let words = self.words(object.place)
        let kernels = memory.layout.objectGroups[object.objectGroup].kernelGroups
        for (list, kernel) in kernels.enumerated() {
            let blocks = object.blockIDs[list]
            let skip = object.skipBlocks.isEmpty ? 0 : object.skipBlocks[list]
            for (index, block) in blocks.enumerated() where index >= skip && block != protected {
                let first = index * kernels.count + list
                var value = words[first]
                // Every repetition must agree, or the object is torn.
                for position in stride(from: first, to: words.count, by: blocks.count * kernels.count)
                where words[position] != value { value = 0xBAD }
                memory.setContent(of: block, kernelGroup: kernel, value)
            }
        }
    }
}
