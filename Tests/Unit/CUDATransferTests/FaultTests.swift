// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel
import Synchronization
import Testing

@testable import CUDATransfer

extension FakeDriverTests {
    /// Every driver call fails once.
    @Suite struct FaultTests {
        /// What one run did until its end; nil when the registration was refused.
        private struct Result {
            var stored: Bool?
            var loaded: Bool?
        }

        /// Registers, stores, loads and unregisters.
        private func life(
            _ rig: CUDARig, _ tensors: EngineTensors, _ layout: KVCacheLayout, _ objects: [ObjectCopy],
            event: [UInt8]
        ) async -> Result? {
            guard let memory = try? rig.device.open(tensors.asStorages, layout: layout) else { return nil }
            var result = Result()
            result.stored = await CUDARig.run(memory, .store, objects, event: event)?.isCompleted
            result.loaded = await CUDARig.run(memory, .load, objects, event: event)?.isCompleted
            memory.close()
            return result
        }

        /// Calls whose failure leaves something open that nobody can close.
        private static let isClosing: Set<String> = [
            "cuIpcCloseMemHandle", "cuStreamDestroy_v2", "cuEventDestroy_v2", "cuMemFree_v2", "cuMemFreeHost",
            "cuMemHostUnregister", "cuModuleUnload", "cuDevicePrimaryCtxRelease_v2", "cuCtxSetCurrent",
        ]

        @Test(arguments: [1, 719] as [Int32], [CopyStrategy.staging, .copies])
        func afterAnyFailedCallNothingIsLeftAndBytesAreRightOrRefused(
            _ code: Int32, _ strategy: CopyStrategy
        ) async throws {
            let form = TensorForm.all[2]
            let tensors = EngineTensors(form, name: "f\(code)\(strategy)", seed: 1)
            let layout = try form.layout(of: tensors.asStorages)
            let size = layout.objectGroups[0].layout.byteCount
            let objects = (0..<2).map { number in
                ObjectCopy(
                    objectGroup: 0, place: ArenaRange(offset: number * size, byteCount: size),
                    blockIDs: [[Int32(2 * number), Int32(2 * number + 1)][...]])
            }
            let expected = try await CPUReference.store(
                tensors.onCPU, layout, objects, arena: [UInt8](repeating: 0xa5, count: 1 << 16))
            let original = tensors.bytes
            var (call, refused, failed) = (0, 0, 0)
            while true {
                call += 1
                let rig = CUDARig(seed: UInt64(call)) { $0.forcedStrategy = strategy }
                for index in tensors.segments.indices {
                    var handle = [UInt8](repeating: 0, count: 64)
                    let segment = tensors.segments[index]
                    lmc_fake_cuda_make_memory(segment.baseAddress, segment.count, &handle)
                }
                let event = CUDARig.firedEvent()
                // A load after a failed store brings what the arena held before.
                tensors.set(original)
                lmc_fake_cuda_fail(call, code, 0)
                let result = await self.life(rig, tensors, layout, objects, event: event)
                rig.device.stop()
                let name = String(cString: lmc_fake_cuda_failed_call())
                if result?.stored == true {
                    let isEqual = rig.arenaBytes == expected
                    #expect(isEqual, "call \(call), \(name)")
                }
                if result == nil { refused += 1 }
                if result?.stored == false || result?.loaded == false { failed += 1 }
                let isClean = Self.isClosing.contains(name) || CUDARig.waitForNothingOpen()
                #expect(isClean, "call \(call), \(name): \(CUDARig.counts)")
                if name.isEmpty { break }
                // The next engine is served.
                lmc_fake_cuda_fail(0, 0, 0)
                guard Self.isClosing.contains(name) == false else { continue }
                let again = CUDARig(resets: false) { $0.forcedStrategy = strategy }
                let second = await self.life(again, tensors, layout, objects, event: event)
                #expect(second?.stored == true && second?.loaded == true, "after call \(call), \(name)")
                again.device.stop()
            }
            // It went through all of it: refused at first, then failed transfers, and at the end nothing.
            #expect(call > 60 && refused > 10 && failed > 10, "\(call) calls, \(refused) refused, \(failed) failed")
        }

        @Test func aLostDeviceFailsEverythingAndSaysSoOnce() async throws {
            let rig = CUDARig()
            let form = TensorForm.all[0]
            let tensors = EngineTensors(form, name: "f2", seed: 1)
            let layout = try form.layout(of: tensors.asStorages)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            let size = layout.objectGroups[0].layout.byteCount
            let object = ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[0, 1][...]])
            let event = CUDARig.firedEvent()
            lmc_fake_cuda_fail(1, 719, 1)
            for _ in 0..<3 {
                for direction in [Transfer.Direction.store, .load] {
                    let outcome = try #require(await CUDARig.run(memory, direction, [object], event: event))
                    #expect(!outcome.isCompleted)
                }
            }
            lmc_fake_cuda_fail(0, 0, 0)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func pinningThatStopsIsLoudAndCopiesGoOn() async throws {
            let rig = CUDARig(registrationLimit: 16_384)
            let form = TensorForm.all[1]
            let tensors = EngineTensors(form, name: "f3", seed: 1)
            let layout = try form.layout(of: tensors.asStorages)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            let report = rig.device.report
            #expect(!report.isHealthy && report.notes.contains { $0.contains("CUDA_ERROR_OUT_OF_MEMORY") })
            #expect(report.value("pinned_bytes") == 16_384)
            let errors = rig.notices.value.withLock { $0.filter { if case .error = $0 { true } else { false } } }
            #expect(errors.count == 1)
            let size = layout.objectGroups[0].layout.byteCount
            for offset in [0, 16_000, 40_000] {
                let object = ObjectCopy(
                    objectGroup: 0, place: ArenaRange(offset: offset, byteCount: size), blockIDs: [[0, 1][...]])
                #expect(await CUDARig.run(memory, .store, [object])?.isCompleted == true)
            }
            #expect((rig.device.report.value("unpinned_bytes_copied") ?? 0) >= size)
            #expect(CUDARig.counts.pageable_copies == 0)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func onlyCommittedBytesAreLocked() throws {
            let rig = CUDARig(committedByteCount: 20_000)
            let tensors = EngineTensors(TensorForm.all[0], name: "f4", seed: 1)
            let layout = try tensors.form.layout(of: tensors.asStorages)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            while rig.device.report.value("pinned_bytes") != 16_384 { usleep(200) }
            usleep(50_000)
            #expect(rig.device.report.value("pinned_bytes") == 16_384)
            rig.committed.value.store(rig.arena.byteCount, ordering: .relaxed)
            rig.waitForPinning()
            #expect(rig.device.report.value("pinned_bytes") == rig.arena.byteCount)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }
    }
}
