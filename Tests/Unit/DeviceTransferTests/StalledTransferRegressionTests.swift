// lmcache · SPDX-License-Identifier: Apache-2.0

import Dispatch
import KVModel
import Synchronization
import Testing

@testable import DeviceTransfer

/// An engine whose server was stopped for ten seconds gives its transfers up and uses the blocks for other requests. What
/// was queued must not be copied when the server goes on.
@Suite struct StalledTransferRegressionTests {
    private static let registration = DeviceTransferTests.registration([tensor([6, 4, 9], name: "/kv0")])

    private static func object(_ index: Int) -> ObjectCopy {
        let first = Int32(index * 2)
        return ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: index * 144, byteCount: 144), blockIDs: [[first, first + 1]])
    }

    private func memory(_ rig: Rig) throws -> any EngineMemory {
        rig.addSegments(Self.registration)
        return try rig.device.open(Self.registration, layout: detect(Self.registration, chunkSize: 8))
    }

    @Test(arguments: [Transfer.Direction.store, .load]) func whatWaitedDuringAStallIsNotCopied(
        direction: Transfer.Direction
    ) async throws {
        let clock = Shared(Mutex(Duration.seconds(1)))
        let rig = Rig(arenaByteCount: 1024) { clock.value.withLock { $0 } }
        let memory = try self.memory(rig)
        let (arena, pages) = (rig.arenaBytes, Array(rig.segment("/kv0")))
        let (started, release, done) = (
            DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), Shared(Mutex<[Bool]>([]))
        )
        let holding = Transfer(
            direction: .store, objects: [], event: [], enqueued: { _ in },
            completed: { _ in
                started.signal()
                release.wait()
            })
        #expect(memory.submit(holding))
        Self.wait(started)
        for _ in 0..<3 {
            let waiting = Transfer(
                direction: direction, objects: [Self.object(0)], event: [], enqueued: { _ in },
                completed: { isComplete in done.value.withLock { $0.append(isComplete) } })
            #expect(memory.submit(waiting))
        }
        clock.value.withLock { $0 += .seconds(6) }
        release.signal()
        let behind = try #require(await Rig.run(memory, direction, [Self.object(0)]))
        #expect(done.value.withLock { $0 } == [false, false, false])
        #expect(behind.enqueued == .failure(.stalled), "queued before anybody noticed")
        #expect(rig.arenaBytes == arena && Array(rig.segment("/kv0")) == pages)
        clock.value.withLock { $0 += .milliseconds(1) }
        #expect(await Rig.run(memory, direction, [Self.object(0)])?.isCompleted == true)
    }

    /// Every reading of the clock in order: queued, begun, before each object, after the last.
    @Test(arguments: [(3, 1), (4, 2)]) func aTransferThatWasStoppedIsNotComplete(
        readingsBefore: Int, copied: Int
    ) async throws {
        let readings = Shared(Mutex(0))
        let rig = Rig(arenaByteCount: 1024) {
            readings.value.withLock { count in
                count += 1
                return count > readingsBefore ? .seconds(6) : .zero
            }
        }
        let memory = try self.memory(rig)
        let arena = rig.arenaBytes
        let outcome = try #require(await Rig.run(memory, .store, [Self.object(0), Self.object(1)]))
        #expect(!outcome.isCompleted && outcome.wasCompletedFirst)
        #expect(outcome.enqueued == .failure(.stalled))
        let end = copied * 144
        #expect(Array(rig.arenaBytes[..<end]) == Array(rig.segment("/kv0")[..<end]))
        #expect(rig.arenaBytes[end...] == arena[end...])
    }

    @Test func anIdleDeviceHasNotStalled() async throws {
        let clock = Shared(Mutex(Duration.zero))
        let rig = Rig(arenaByteCount: 1024) { clock.value.withLock { $0 } }
        let memory = try self.memory(rig)
        for _ in 0..<3 {
            #expect(await Rig.run(memory, .store, [Self.object(0)])?.isCompleted == true)
            clock.value.withLock { $0 += .seconds(100) }
        }
    }

    @Test func onlyWhatWasQueuedAfterTheStallRuns() {
        var watch = DeviceStallWatch(limit: .seconds(5))
        func begin(queuedAt: Int, now: Int) -> Bool { watch.begin(queuedAt: .seconds(queuedAt), now: .seconds(now)) }
        func step(_ now: Int) -> Bool { watch.step(now: .seconds(now)) }
        #expect(begin(queuedAt: 100, now: 105), "not longer than the limit")
        #expect(step(110))
        #expect(!step(116))
        #expect(step(117), "one stall, told once")
        #expect(!begin(queuedAt: 115, now: 117))
        #expect(!begin(queuedAt: 116, now: 117))
        #expect(begin(queuedAt: 117, now: 118))
        #expect(!begin(queuedAt: 200, now: 206), "stopped between queue and thread")
        #expect(begin(queuedAt: 207, now: 207))
    }

    private static func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
}
