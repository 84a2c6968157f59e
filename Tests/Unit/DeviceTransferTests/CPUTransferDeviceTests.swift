// lmcache · SPDX-License-Identifier: Apache-2.0

import Dispatch
import KVModel
import Synchronization
import Testing

@testable import DeviceTransfer

@Suite struct CPUTransferDeviceTests {
    /// One latent layer: 6 blocks of 4 slots of 9 halves, two blocks a chunk, 144 bytes an object.
    private static let registration = DeviceTransferTests.registration([tensor([6, 4, 9], name: "/kv0")])
    private static let place = ArenaRange(offset: 0, byteCount: 144)

    private func rig(queueLimit: Int = 64) throws -> (Rig, any EngineMemory) {
        let rig = Rig(arenaByteCount: 1024, queueLimit: queueLimit)
        rig.addSegments(Self.registration)
        return (rig, try rig.device.open(Self.registration, layout: detect(Self.registration, chunkSize: 8)))
    }

    private static func object(
        _ ids: [Int32], place: ArenaRange = place, group: Int = 0, skip: [Int] = []
    ) -> ObjectCopy {
        ObjectCopy(objectGroup: group, place: place, blockIDs: [ids[...]], skipBlocks: skip)
    }

    @Test(arguments: [
        (object([0, 6]), TransferFailure.blockOutOfRange(id: 6, blockCount: 6)),
        (object([-1, 0]), .blockOutOfRange(id: -1, blockCount: 6)),
        (object([.max, 0]), .blockOutOfRange(id: Int(Int32.max), blockCount: 6)),
        (object([0]), .wrongBlockCount(objectGroup: 0)),
        (object([0, 1, 2]), .wrongBlockCount(objectGroup: 0)),
        (object([0, 1], skip: [0, 0]), .wrongBlockCount(objectGroup: 0)),
        (object([0, 1], group: 1), .noSuchObjectGroup(1)),
        (object([0, 1], group: -1), .noSuchObjectGroup(-1)),
        (
            object([0, 1], place: .init(offset: 0, byteCount: 143)),
            .wrongPlace(.init(offset: 0, byteCount: 143), expectedByteCount: 144)
        ),
        (
            object([0, 1], place: .init(offset: 1000, byteCount: 144)),
            .wrongPlace(.init(offset: 1000, byteCount: 144), expectedByteCount: 144)
        ),
        (
            object([0, 1], place: .init(offset: -8, byteCount: 144)),
            .wrongPlace(.init(offset: -8, byteCount: 144), expectedByteCount: 144)
        ),
        (
            object([0, 1], place: .init(offset: .max, byteCount: 144)),
            .wrongPlace(.init(offset: .max, byteCount: 144), expectedByteCount: 144)
        ),
    ])
    func aTransferThatDoesNotFitCopiesNothing(_ object: ObjectCopy, _ failure: TransferFailure) async throws {
        let (rig, memory) = try self.rig()
        let (arena, pages) = (rig.arenaBytes, Array(rig.segment("/kv0")))
        for direction in [Transfer.Direction.store, .load] {
            let outcome = try #require(await Rig.run(memory, direction, [Self.object([2, 3]), object]))
            #expect(!outcome.isCompleted && outcome.wasCompletedFirst)
            #expect(outcome.enqueued == .failure(failure))
        }
        #expect(rig.arenaBytes == arena && Array(rig.segment("/kv0")) == pages)
    }

    @Test func skippedBlocksMayHaveAnyId() async throws {
        let (rig, memory) = try self.rig()
        defer { withExtendedLifetime(rig) {} }
        let outcome = await Rig.run(memory, .load, [Self.object([-1, 5], skip: [1])])
        #expect(outcome?.isCompleted == true)
        let negative = await Rig.run(memory, .load, [Self.object([1, 5], skip: [-1])])
        #expect(negative?.enqueued == .failure(.wrongBlockCount(objectGroup: 0)))
        let large = await Rig.run(memory, .load, [Self.object([1, 5], skip: [3])])
        #expect(large?.enqueued == .failure(.wrongBlockCount(objectGroup: 0)))
    }

    @Test func aShrunkSegmentFailsTheTransfer() async throws {
        let (rig, memory) = try self.rig()
        rig.memory.change("/kv0") { $0.byteCount = 100 }
        let outcome = await Rig.run(memory, .store, [Self.object([0, 1])])
        #expect(outcome?.isCompleted == false)
        #expect(outcome?.enqueued == .failure(.engineMemoryShrunk(name: "/kv0")))
    }

    @Test func nothingToCopyStillAnswers() async throws {
        let (rig, memory) = try self.rig()
        defer { withExtendedLifetime(rig) {} }
        let outcome = await Rig.run(memory, .store, [])
        #expect(outcome?.isCompleted == true)
        #expect(outcome?.enqueued == .success(Array("stub_ipc_handle".utf8)))
    }

    /// Blocks the device's thread until the returned semaphore is signalled.
    private func hold(_ memory: any EngineMemory) -> DispatchSemaphore {
        let (started, release) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let transfer = Transfer(
            direction: .store, objects: [], event: [], enqueued: { _ in },
            completed: { _ in
                started.signal()
                release.wait()
            })
        #expect(memory.submit(transfer))
        started.wait()
        return release
    }

    @Test func aFullQueueTakesNothing() throws {
        let (rig, memory) = try self.rig(queueLimit: 2)
        let release = self.hold(memory)
        let answers = Mutex(0)
        let box = Shared(answers)
        let submit = {
            memory.submit(
                Transfer(
                    direction: .store, objects: [], event: [], enqueued: { _ in box.value.withLock { $0 += 1 } },
                    completed: { _ in }))
        }
        #expect(submit() && submit())
        #expect(!submit())
        release.signal()
        rig.device.stop()
        #expect(box.value.withLock { $0 } == 2)
        #expect(!submit())
    }

    @Test func closingWaitsForWorkInFlightAndRefusesMore() throws {
        let (rig, memory) = try self.rig()
        let release = self.hold(memory)
        let box = Shared(Mutex<[Bool]>([]))
        let transfer = Transfer(
            direction: .store, objects: [Self.object([0, 1])], event: [], enqueued: { _ in },
            completed: { isComplete in box.value.withLock { $0.append(isComplete) } })
        #expect(memory.submit(transfer))
        memory.close()
        memory.close()
        #expect(!memory.submit(transfer))
        #expect(rig.memory.leftOpen == 2)
        release.signal()
        rig.device.stop()
        #expect(box.value.withLock { $0 } == [true])
        #expect(rig.memory.leftOpen == 0)
        #expect(Array(rig.arenaBytes[0..<144]) == Array(rig.segment("/kv0")[0..<144]))
    }

    @Test func transfersRunInTheOrderOfTheirSubmission() throws {
        let (rig, memory) = try self.rig()
        let release = self.hold(memory)
        let box = Shared(Mutex<[Int]>([]))
        for number in 0..<20 {
            let transfer = Transfer(
                direction: .load, objects: [Self.object([0, 1])], event: [],
                enqueued: { _ in box.value.withLock { $0.append(number * 2 + 1) } },
                completed: { _ in box.value.withLock { $0.append(number * 2) } })
            #expect(memory.submit(transfer))
        }
        release.signal()
        rig.device.stop()
        #expect(box.value.withLock { $0 } == Array(0..<40))
    }

    @Test func aStoppedDeviceOpensNothing() throws {
        let (rig, memory) = try self.rig()
        rig.device.stop()
        rig.device.stop()
        let layout = memory.layout
        #expect(throws: DeviceError.stopped) { try rig.device.open(Self.registration, layout: layout) }
    }

    @Test func droppedMemoryIsUnmapped() throws {
        let rig = Rig(arenaByteCount: 64)
        defer { withExtendedLifetime(rig) {} }
        rig.addSegments(Self.registration)
        do { _ = try rig.device.open(Self.registration, layout: detect(Self.registration, chunkSize: 8)) }
        #expect(rig.memory.leftOpen == 0)
    }
}
