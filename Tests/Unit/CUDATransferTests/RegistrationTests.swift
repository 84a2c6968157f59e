// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel
import NativeThreads
import Testing

@testable import CUDATransfer

extension FakeDriverTests {
    /// Opening and giving back.
    @Suite struct RegistrationTests {
        private static let form = TensorForm.all[0]

        private func refusal(
            _ rig: CUDARig, _ registration: KVCacheRegistration, _ layout: KVCacheLayout
        ) -> String {
            do {
                _ = try rig.device.open(registration, layout: layout)
                return "accepted"
            } catch {
                return error.description
            }
        }

        @Test func noContextExistsBeforeAWorkerRegistersNorAfterTheLastHasLeft() throws {
            let rig = CUDARig()
            #expect(CUDARig.counts.calls == 0)
            let tensors = EngineTensors(Self.form, name: "r1", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            let first = try rig.device.open(tensors.asStorages, layout: layout)
            let second = try rig.device.open(tensors.asRawHandles, layout: layout)
            #expect(CUDARig.counts.contexts == 1)
            // The same allocations: each mapped once.
            #expect(CUDARig.counts.mappings == tensors.segments.count)
            #expect(first.deviceName == CUDARig.uuid)
            first.close()
            first.close()
            rig.waitForPinning()
            #expect(CUDARig.counts.mappings == tensors.segments.count)
            #expect(rig.device.report.value("pinned_bytes") == rig.arena.byteCount)
            second.close()
            #expect(CUDARig.waitForNothingOpen())
            #expect(rig.device.report.value("open_devices") == 0)
            let third = try rig.device.open(tensors.asStorages, layout: layout)
            third.close()
            #expect(CUDARig.waitForNothingOpen())
            #expect(CUDARig.counts.most_contexts == 1)
        }

        @Test func twoDevicesHaveTwoContextsAndOneLockedArena() async throws {
            let rig = CUDARig()
            let tensors = EngineTensors(Self.form, name: "r2", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            var other = tensors.asStorages
            let spelled = "GPU-" + CUDARig.otherUUID.uppercased()
            for index in other.tensors.indices { other.tensors[index].deviceUUID = spelled }
            let first = try rig.device.open(tensors.asStorages, layout: layout)
            let second = try rig.device.open(other, layout: layout)
            #expect(second.deviceName == CUDARig.otherUUID && CUDARig.counts.contexts == 2)
            rig.waitForPinning()
            #expect(CUDARig.counts.registrations == 8)
            // The device whose context locked the arena leaves first.
            first.close()
            usleep(20_000)
            #expect(CUDARig.counts.registrations == 8)
            let object = ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: 0, byteCount: layout.objectGroups[0].layout.byteCount),
                blockIDs: [[0, 1][...]])
            #expect(await CUDARig.run(second, .store, [object])?.isCompleted == true)
            second.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func fabricMemoryIsMappedOnce() async throws {
            let rig = CUDARig()
            let tensors = EngineTensors(TensorForm.all[8], name: "r3", seed: 1)
            let segment = tensors.segments[0]
            var blob = [UInt8](repeating: 0, count: 64)
            lmc_fake_cuda_make_fabric(segment.baseAddress, segment.count, &blob)
            let registration = tensors.registration { _, tensor in
                MemoryDescriptor(
                    storage: .cudaVMM(
                        .init(
                            exportID: [7], fabricHandle: blob, allocationByteCount: segment.count,
                            allocationOffset: EngineTensors.lead, byteCount: tensor.byteSpan ?? 0)),
                    tensor: tensor, deviceUUID: CUDARig.uuid)
            }
            let layout = try tensors.form.layout(of: registration)
            let memory = try rig.device.open(registration, layout: layout)
            let size = layout.objectGroups[0].layout.byteCount
            let object = ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[2, 8][...]])
            let expected = try await CPUReference.store(tensors.onCPU, layout, [object], arena: rig.arenaBytes)
            #expect(await CUDARig.run(memory, .store, [object])?.isCompleted == true)
            let isEqual = rig.arenaBytes == expected
            #expect(isEqual)
            #expect(CUDARig.counts.mappings == 1 && CUDARig.counts.reservations == 1)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func sizesAreCheckedAgainstTheAllocationItself() throws {
            let rig = CUDARig()
            let tensors = EngineTensors(Self.form, name: "r4", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            for shift in [65, 4096, 1 << 40] {
                let registration = tensors.registration { index, tensor in
                    MemoryDescriptor(
                        storage: .cudaRaw(
                            handle: tensors.handles[index],
                            allocationOffset: EngineTensors.lead + (index == 2 ? shift : 0),
                            byteCount: .max / 2),
                        tensor: tensor, deviceUUID: CUDARig.uuid)
                }
                let text = self.refusal(rig, registration, layout)
                #expect(text.contains("tensor 2: its elements end at byte"), "\(text)")
                #expect(CUDARig.waitForNothingOpen())
            }
        }

        @Test func whatCannotBeOpenedIsRefusedWithTheReason() throws {
            let rig = CUDARig()
            let tensors = EngineTensors(Self.form, name: "r5", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            var unknown = tensors.asStorages
            for index in unknown.tensors.indices { unknown.tensors[index].deviceUUID = "0-0" }
            #expect(self.refusal(rig, unknown, layout).contains("not visible to the server; it sees \(CUDARig.uuid)"))
            var mixed = tensors.asStorages
            mixed.tensors[1].deviceUUID = CUDARig.otherUUID
            #expect(self.refusal(rig, mixed, layout).contains("tensor 1: device"))
            var gone = tensors.asRawHandles
            gone.tensors[2].storage = .cudaRaw(
                handle: [UInt8](repeating: 9, count: 64), allocationOffset: 0, byteCount: 1 << 20)
            #expect(self.refusal(rig, gone, layout).contains("tensor 2: cuIpcOpenMemHandle failed"))
            #expect(self.refusal(rig, gone, layout).contains("has ended"))
            var own = gone
            own.tensors[2].storage = .cudaRaw(
                handle: Array("FAKEO".utf8) + [UInt8](repeating: 0, count: 59), allocationOffset: 0, byteCount: 1 << 20)
            #expect(self.refusal(rig, own, layout).contains("--pid=host"))
            var cpu = tensors.asStorages
            cpu.tensors[0] = tensors.onCPU.tensors[0]
            #expect(rig.device.accepts(cpu.tensors) && !rig.device.accepts(tensors.onCPU.tensors))
            #expect(self.refusal(rig, cpu, layout).contains("cpu_shm"))
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test(arguments: [0, 1, 6, 12]) func checksumsEqualTheCPUs(_ index: Int) async throws {
            let rig = CUDARig()
            let form = TensorForm.all[index]
            let tensors = EngineTensors(form, name: "r10", seed: 4)
            let layout = try form.layout(of: tensors.asStorages)
            let cpu = CPUTransferDevice(arena: rig.arena, queueLimit: 4)
            let devices: [(any TransferDevice, KVCacheRegistration)] = [
                (cpu, tensors.onCPU), (rig.device, tensors.asStorages),
            ]
            for isLayerwise in [false, true] {
                var sums: [Result<ChunkChecksums, ChecksumError>] = []
                for (device, registration) in devices {
                    let memory = try device.open(registration, layout: layout)
                    sums.append(
                        await withCheckedContinuation { continuation in
                            let isTaken = memory.checksums(
                                blockIDs: [3, 0, 8], blocksPerChunk: 2, layerwise: isLayerwise
                            ) { continuation.resume(returning: $0) }
                            #expect(isTaken)
                        })
                    memory.close()
                }
                #expect(sums[0] == sums[1])
                if case .failure = sums[0] { Issue.record("\(sums[0])") }
            }
            cpu.stop()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func anOpeningWaitsForTheEventsOfSharing() throws {
            let rig = CUDARig()
            let tensors = EngineTensors(Self.form, name: "r11", seed: 4)
            let (event, handle) = CUDARig.event()
            var registration = tensors.asStorages
            for (index, bytes) in [handle, [1, 2], handle].enumerated() {
                guard case .cuda(var storage) = registration.tensors[index].storage else { continue }
                storage.eventHandle = bytes
                storage.isEventSyncRequired = true
                registration.tensors[index].storage = .cuda(storage)
            }
            let firing = NativeThread(name: "fire") { @Sendable in
                usleep(30_000)
                lmc_fake_cuda_fire_event(event)
            }
            let start = ContinuousClock.now
            let memory = try rig.device.open(
                registration, layout: try Self.form.layout(of: registration))
            #expect(ContinuousClock.now - start >= .milliseconds(20))
            firing.join()
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func aMachineWithoutADriverRefusesAndGoesOn() throws {
            lmc_fake_cuda_reset(1)
            let tensors = EngineTensors(Self.form, name: "r6", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            let rig = CUDARig(resets: false)
            var settings = CUDASettings()
            settings.driverPath = "/nowhere/libcuda.so.1"
            let device = CUDATransferDevice(
                arena: ArenaSource(view: rig.arena, committedByteCount: { 0 }, commitAll: {}), settings: settings,
                opensProcessMemory: false, notify: { _ in })
            for _ in 0..<2 {
                do {
                    _ = try device.open(tensors.asStorages, layout: layout)
                    Issue.record("accepted")
                } catch {
                    #expect(error.description.contains("/nowhere/libcuda.so.1 cannot be loaded"))
                    #expect(!error.description.contains("\n"))
                }
            }
            #expect(device.report.isHealthy)
            device.stop()
        }

        @Test func anOldDriverIsNamed() throws {
            let rig = CUDARig()
            lmc_fake_cuda_set_version(11_020)
            let tensors = EngineTensors(Self.form, name: "r7", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            #expect(self.refusal(rig, tensors.asStorages, layout).contains("speaks CUDA 11.2; 11.4 or later is needed"))
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func aDriverThatCannotCompileTheKernelsCopiesWithoutThem() async throws {
            let rig = CUDARig()
            lmc_fake_cuda_refuse_modules(1)
            let form = TensorForm.all[2]
            let tensors = EngineTensors(form, name: "r8", seed: 1)
            let layout = try form.layout(of: tensors.asStorages)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            #expect(rig.device.report.notes.contains { $0.hasPrefix("kernels") })
            let size = layout.objectGroups[0].layout.byteCount
            let object = ObjectCopy(
                objectGroup: 0, place: ArenaRange(offset: 0, byteCount: size), blockIDs: [[2, 8][...]])
            let expected = try await CPUReference.store(tensors.onCPU, layout, [object], arena: rig.arenaBytes)
            #expect(await CUDARig.run(memory, .store, [object])?.isCompleted == true)
            let isEqual = rig.arenaBytes == expected
            #expect(isEqual)
            #expect(CUDARig.counts.kernels == 0)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test func aStoppedDeviceRefuses() throws {
            let rig = CUDARig()
            let tensors = EngineTensors(Self.form, name: "r9", seed: 1)
            let layout = try Self.form.layout(of: tensors.asStorages)
            rig.device.stop()
            #expect(self.refusal(rig, tensors.asStorages, layout) == DeviceError.stopped.description)
            #expect(CUDARig.waitForNothingOpen())
        }
    }
}
