// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization
import Testing

@testable import DeviceTransfer

@Suite struct ProcessMemoryTests {
    /// One latent layer: 6 blocks of 4 slots of 9 halves; two blocks a chunk, 144 bytes an object.
    private static let byteCount = 6 * 4 * 9 * 2

    private static func registration(at base: UnsafeMutableRawPointer) -> KVCacheRegistration {
        var descriptor = tensor([6, 4, 9])
        descriptor.storage = .process(address: Int(bitPattern: base), byteCount: Self.byteCount)
        return DeviceTransferTests.registration([descriptor])
    }

    private static func object(_ ids: [Int32]) -> ObjectCopy {
        ObjectCopy(objectGroup: 0, place: ArenaRange(offset: 0, byteCount: 144), blockIDs: [ids[...]], skipBlocks: [])
    }

    /// A device over an arena and one block of memory.
    private final class Bench: @unchecked Sendable {  // the buffers are touched by one side at a time
        let arena = ArenaView(base: .allocate(byteCount: 1024, alignment: 4096), byteCount: 1024)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: ProcessMemoryTests.byteCount, alignment: 64)
        let device: CPUTransferDevice

        init(opensProcessMemory: Bool = true) {
            self.arena.base.initializeMemory(as: UInt8.self, repeating: 0, count: 1024)
            for index in self.memory.indices { self.memory[index] = UInt8(truncatingIfNeeded: index &* 31 &+ 7) }
            self.device = CPUTransferDevice(
                arena: self.arena, queueLimit: 64, opensProcessMemory: opensProcessMemory)
        }

        func open() throws -> any EngineMemory {
            guard let base = self.memory.baseAddress else { throw DeviceError.stopped }
            let registration = ProcessMemoryTests.registration(at: base)
            return try self.device.open(registration, layout: detect(registration, chunkSize: 8))
        }

        func block(_ index: Int) -> [UInt8] { Array(self.memory[(index * 72)..<(index * 72 + 72)]) }

        deinit {
            self.device.stop()
            self.arena.base.deallocate()
            self.memory.deallocate()
        }
    }

    @Test func bytesGoBothWays() async throws {
        let bench = Bench()
        let memory = try bench.open()
        #expect(await Rig.run(memory, .store, [Self.object([1, 2])])?.isCompleted == true)
        #expect(await Rig.run(memory, .load, [Self.object([4, 5])])?.isCompleted == true)
        #expect(bench.block(4) == bench.block(1) && bench.block(5) == bench.block(2))
        #expect(bench.block(3) != bench.block(1))
        #expect(memory.isCurrent)
        memory.close()
        #expect(await Rig.run(memory, .store, [Self.object([1, 2])]) == nil)
    }

    @Test func aDeviceOfAServerAcceptsNoAddresses() {
        let bench = Bench(opensProcessMemory: false)
        guard let base = bench.memory.baseAddress else { return }
        let tensors = Self.registration(at: base).tensors
        #expect(!bench.device.accepts(tensors))
        var foreign = tensors
        foreign[0].deviceUUID = "0db07a0e"
        #expect(Bench().device.accepts(tensors))
        #expect(!Bench().device.accepts(foreign))
    }

    /// The memory may be freed once closing has returned.
    @Test func closingWaitsForTheCopyAndFailsTheRest() throws {
        let bench = Bench()
        let memory = try bench.open()
        let (started, mayEnd) = (Gate(), Gate())
        let failed = Atomic<Int>(0)
        let ended = Shared(failed)
        let first = Transfer(
            direction: .store, objects: [Self.object([1, 2])], protectedBlockID: nil, event: [],
            enqueued: { _ in },
            completed: { _ in
                started.open()
                mayEnd.wait()
            })
        #expect(memory.submit(first))
        started.wait()
        for _ in 0..<5 {
            let later = Transfer(
                direction: .load, objects: [Self.object([4, 5])], protectedBlockID: nil, event: [],
                enqueued: { result in
                    if result == .failure(.closed) { ended.value.add(1, ordering: .relaxed) }
                }, completed: { _ in })
            #expect(memory.submit(later))
        }
        let before = bench.block(4)
        let closing = ClosingThread(memory)
        closing.waitUntilClosed()
        #expect(!closing.isDone)
        mayEnd.open()
        closing.join()
        #expect(ended.value.load(ordering: .relaxed) == 5)
        #expect(bench.block(4) == before)
    }
}
