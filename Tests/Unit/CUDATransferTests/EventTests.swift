// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel
import Testing

@testable import CUDATransfer

extension FakeDriverTests {
    /// Order between the engine's work, ours, and the engine's again.
    @Suite struct EventTests {
        private struct Bench {
            let rig: CUDARig
            let tensors: EngineTensors
            let memory: any EngineMemory
            let objects: [ObjectCopy]

            init(_ name: String) throws {
                self.rig = CUDARig()
                let form = TensorForm.all[0]
                self.tensors = EngineTensors(form, name: name, seed: 2)
                let layout = try form.layout(of: self.tensors.asStorages)
                self.memory = try self.rig.device.open(self.tensors.asStorages, layout: layout)
                self.rig.waitForPinning()
                let size = layout.objectGroups[0].layout.byteCount
                self.objects = [
                    ObjectCopy(objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[3, 1][...]])
                ]
            }

            func expected() async throws -> [UInt8] {
                try await CPUReference.store(
                    self.tensors.onCPU, self.memory.layout, self.objects, arena: self.rig.arenaBytes)
            }

            func end() {
                self.memory.close()
                #expect(CUDARig.waitForNothingOpen())
            }
        }

        @Test func aStoreReadsWhatTheEngineWroteBeforeItsEvent() async throws {
            let bench = try Bench("e1")
            let (event, handle) = CUDARig.event()
            let transfer = PendingTransfer(.store, bench.objects, event: handle)
            #expect(bench.memory.submit(transfer.transfer))
            usleep(20_000)
            #expect(transfer.callCount == 0)
            var random = SeededRandom(99)
            for segment in bench.tensors.segments {
                for index in segment.indices { segment[index] = UInt8(truncatingIfNeeded: random.next()) }
            }
            let expected = try await bench.expected()
            lmc_fake_cuda_fire_event(event)
            #expect(await transfer.outcome.isCompleted)
            let isEqual = bench.rig.arenaBytes == expected
            #expect(isEqual)
            bench.end()
        }

        @Test func aLoadDoesNotWaitForAStoresEvent() async throws {
            let bench = try Bench("e2")
            let (event, handle) = CUDARig.event()
            let store = PendingTransfer(.store, bench.objects, event: handle)
            #expect(bench.memory.submit(store.transfer))
            let load = await CUDARig.run(bench.memory, .load, bench.objects)
            #expect(load?.isCompleted == true && store.callCount == 0)
            lmc_fake_cuda_fire_event(event)
            #expect(await store.outcome.isCompleted)
            bench.end()
        }

        @Test(arguments: [Transfer.Direction.store, .load])
        func theAnswerIsAnEventOfOursThatFires(_ direction: Transfer.Direction) async throws {
            let bench = try Bench("e3")
            let given = CUDARig.firedEvent()
            let outcome = try #require(await CUDARig.run(bench.memory, direction, bench.objects, event: given))
            let handle = try outcome.enqueued.get()
            #expect(handle.count == 64 && handle != given)
            #expect(lmc_fake_cuda_event_fired(handle) == 1)
            bench.end()
        }

        @Test func timelineEventsAreWaitedForAndAnsweredInKind() async throws {
            let bench = try Bench("e4")
            let buffer = UnsafeMutableRawPointer.allocate(
                byteCount: TimelineHandle.bufferByteCount, alignment: 4096)
            defer { buffer.deallocate() }
            buffer.initializeMemory(as: UInt8.self, repeating: 0, count: TimelineHandle.bufferByteCount)
            var memory = [UInt8](repeating: 0, count: 64)
            lmc_fake_cuda_make_memory(buffer, TimelineHandle.bufferByteCount, &memory)
            for number in UInt64(1)...3 {
                let handle = TimelineHandle(memory: memory, offset: 16, sequence: number).bytes
                let transfer = PendingTransfer(number == 2 ? .load : .store, bench.objects, event: handle)
                #expect(bench.memory.submit(transfer.transfer))
                usleep(5000)
                #expect(transfer.callCount == 0)
                buffer.storeBytes(of: number, toByteOffset: 16, as: UInt64.self)
                let outcome = await transfer.outcome
                #expect(outcome.isCompleted)
                let answer = try TimelineHandle(try outcome.enqueued.get())
                #expect(answer.memory != memory && answer.offset == (number == 2 ? 16 : 8))
                #expect(answer.sequence == (number == 3 ? 2 : 1))
                #expect(lmc_fake_cuda_semaphore(answer.memory, answer.offset) >= answer.sequence)
            }
            // Mapped once each for the two lanes, beside the tensors.
            #expect(CUDARig.counts.mappings == bench.tensors.segments.count + 1)
            let none = TimelineHandle(memory: memory, offset: 0, sequence: 0).bytes
            #expect(await CUDARig.run(bench.memory, .load, bench.objects, event: none)?.isCompleted == true)
            bench.end()
        }

        @Test func timelineBytesAreBigEndian() throws {
            let handle = TimelineHandle(memory: Array(0..<64), offset: 8, sequence: 5)
            #expect(handle.bytes == [1] + Array(0..<64) + [0, 0, 0, 0, 0, 0, 0, 8] + [0, 0, 0, 0, 0, 0, 0, 5])
            #expect(try TimelineHandle(handle.bytes) == handle)
        }

        static let wrongEvents: [[UInt8]] = [
            [], [1], Array("stub_ipc_handle".utf8), Array(repeating: 0, count: 63), Array(repeating: 0, count: 64),
            Array(repeating: 0, count: 65), Array(repeating: 0, count: 80), Array(repeating: 0, count: 81),
            TimelineHandle(memory: Array(repeating: 1, count: 64), offset: 8, sequence: 1).bytes,
            [2] + TimelineHandle(memory: Array(repeating: 1, count: 64), offset: 8, sequence: 1).bytes.dropFirst(),
            TimelineHandle(memory: Array(repeating: 1, count: 64), offset: 4, sequence: 1).bytes,
            TimelineHandle(memory: Array(repeating: 1, count: 64), offset: 32_768, sequence: 1).bytes,
            [1] + Array(repeating: 255, count: 80),
        ]

        @Test(arguments: wrongEvents) func aWrongEventFailsOnlyItsTransfer(_ event: [UInt8]) async throws {
            let bench = try Bench("e5")
            let before = bench.rig.arenaBytes
            for direction in [Transfer.Direction.store, .load] {
                let outcome = try #require(await CUDARig.run(bench.memory, direction, bench.objects, event: event))
                #expect(!outcome.isCompleted)
                if case .success = outcome.enqueued { Issue.record("accepted") }
            }
            let isUntouched = bench.rig.arenaBytes == before
            #expect(isUntouched)
            #expect(await CUDARig.run(bench.memory, .store, bench.objects)?.isCompleted == true)
            bench.end()
        }

        @Test func closingEndsTheWaitForAnEventThatNeverFires() async throws {
            let bench = try Bench("e6")
            let transfer = PendingTransfer(.store, bench.objects, event: CUDARig.event().handle)
            #expect(bench.memory.submit(transfer.transfer))
            usleep(2000)
            bench.end()
            let outcome = await transfer.outcome
            #expect(!outcome.isCompleted && outcome.enqueued == .failure(.closed))
            let late = PendingTransfer(.load, bench.objects, event: CUDARig.firedEvent())
            #expect(!bench.memory.submit(late.transfer))
        }

        @Test func memoryOfThisProcessHasEventsOfThisProcess() async throws {
            let rig = CUDARig()
            let form = TensorForm.all[2]
            let tensors = EngineTensors(form, name: "e8", seed: 2)
            let registration = tensors.registration { index, tensor in
                let address = UInt(bitPattern: tensors.segments[index].baseAddress) + UInt(EngineTensors.lead)
                return MemoryDescriptor(
                    storage: .process(address: Int(bitPattern: address), byteCount: tensor.byteSpan ?? 0),
                    tensor: tensor, deviceUUID: CUDARig.uuid)
            }
            #expect(rig.device.accepts(registration.tensors))
            for segment in tensors.segments { lmc_fake_cuda_add_device_memory(segment.baseAddress, segment.count) }
            let layout = try form.layout(of: registration)
            let memory = try rig.device.open(registration, layout: layout)
            let size = layout.objectGroups[0].layout.byteCount
            let object = ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[2, 8][...]])
            let expected = try await CPUReference.store(tensors.onCPU, layout, [object], arena: rig.arenaBytes)
            let (event, _) = CUDARig.event()
            let address = try #require(OpaquePointer(bitPattern: UInt(lmc_fake_cuda_event_address(event))))
            let store = PendingTransfer(.store, [object], event: EngineEventHandle.bytes(local: address))
            #expect(memory.submit(store.transfer))
            usleep(5000)
            #expect(store.callCount == 0)
            lmc_fake_cuda_fire_event(event)
            let outcome = await store.outcome
            #expect(outcome.isCompleted)
            let isEqual = rig.arenaBytes == expected
            #expect(isEqual)
            let answer = try outcome.enqueued.get()
            #expect(answer.count == 16 && answer.starts(with: EngineEventHandle.localMark))
            // Closing waits: the memory may be freed after it.
            let waiting = PendingTransfer(
                .store, [object],
                event: EngineEventHandle.bytes(
                    local: try #require(
                        OpaquePointer(
                            bitPattern: UInt(lmc_fake_cuda_event_address(CUDARig.event().event))))))
            #expect(memory.submit(waiting.transfer))
            memory.close()
            #expect(waiting.isCompleted == false)
            #expect(CUDARig.counts.isNothingOpen)
        }

        @Test func addressesAreNotAcceptedFromOtherProcesses() async throws {
            let bench = try Bench("e9")
            let address = try #require(
                OpaquePointer(bitPattern: UInt(lmc_fake_cuda_event_address(CUDARig.event().event))))
            let outcome = try #require(
                await CUDARig.run(
                    bench.memory, .store, bench.objects, event: EngineEventHandle.bytes(local: address)))
            #expect(!outcome.isCompleted)
            bench.end()
        }

        @Test func manyTransfersKeepAFewEventsOnly() async throws {
            let bench = try Bench("e7")
            for _ in 0..<(CompletionExporter.keptCount + 40) {
                #expect(await CUDARig.run(bench.memory, .load, [])?.isCompleted == true)
            }
            #expect(CUDARig.counts.events < CompletionExporter.keptCount + 200)
            // The last one, which keeps the memory behind the engine's events mapped.
            #expect(CUDARig.counts.imported_events == 1)
            bench.end()
        }
    }
}
