// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import KVModel
import Testing

@testable import CUDATransfer

extension FakeDriverTests {
    /// Every layout against the CPU device, byte for byte.
    @Suite struct CopyTests {
        /// How much of the arena is page-locked.
        enum Pinning: CaseIterable, Sendable { case all, none, some }

        struct Case: Sendable, CustomStringConvertible {
            let form: TensorForm
            let strategy: CopyStrategy
            let pinning: Pinning
            var description: String { "\(self.form), \(self.strategy), \(self.pinning) pinned" }
        }

        static let cases: [Case] = TensorForm.all.flatMap { form in
            CopyStrategy.allCases.flatMap { strategy in
                Pinning.allCases.map { Case(form: form, strategy: strategy, pinning: $0) }
            }
        }

        private static let objectCount = 3

        private func objects(_ layout: KVCacheLayout, seed: UInt64, skips: Bool) -> [ObjectCopy] {
            var random = SeededRandom(seed)
            var offset = 64
            var objects: [ObjectCopy] = []
            let blocks = Array(0..<Int32(layout.kernelGroups.map(\.blockCount).min() ?? 0)).shuffled(using: &random)
            for number in 0..<Self.objectCount {
                for group in layout.objectGroups {
                    let ids = group.kernelGroups.map { kernel in
                        let count = layout.kernelGroups[kernel].blocksPerChunk
                        return blocks[number * count..<(number + 1) * count]
                    }
                    let skip = group.kernelGroups.map { kernel in
                        skips ? Int.random(in: 0...layout.kernelGroups[kernel].blocksPerChunk, using: &random) : 0
                    }
                    objects.append(
                        ObjectCopy(
                            objectGroup: group.index,
                            place: ArenaRange(offset: offset, byteCount: group.layout.byteCount), blockIDs: ids,
                            skipBlocks: skips ? skip : []))
                    // Objects with a gap, so that a copy beyond one shows.
                    offset += group.layout.byteCount + (number == 0 ? 0 : 48)
                }
            }
            return objects
        }

        private func rig(_ one: Case, seed: UInt64) -> CUDARig {
            let limit = one.pinning == .all ? -1 : one.pinning == .none ? 0 : 16_384
            return CUDARig(seed: seed, registrationLimit: limit) {
                $0.forcedStrategy = one.strategy
                // A third as large as what moves; the alignment takes its part.
                $0.slotByteCount = 2048
            }
        }

        @Test(arguments: cases) func aStoreEqualsTheCPUs(_ one: Case) async throws {
            let rig = self.rig(one, seed: 11)
            let tensors = EngineTensors(one.form, name: "s", seed: 5)
            let before = tensors.bytes
            let layout = try one.form.layout(of: tensors.asStorages)
            let objects = self.objects(layout, seed: 3, skips: false)
            let expected = try await CPUReference.store(tensors.onCPU, layout, objects, arena: rig.arenaBytes)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            let outcome = try #require(await CUDARig.run(memory, .store, objects))
            #expect(outcome.isCompleted)
            let isEqual = rig.arenaBytes == expected
            #expect(isEqual, "\(one)")
            let isUntouched = tensors.bytes == before
            #expect(isUntouched)
            #expect(CUDARig.counts.pageable_copies == 0)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test(arguments: cases) func aLoadEqualsTheCPUs(_ one: Case) async throws {
            let rig = self.rig(one, seed: 12)
            rig.fillArena(seed: 8)
            let tensors = EngineTensors(one.form, name: "l", seed: 6)
            let before = tensors.bytes
            let layout = try one.form.layout(of: tensors.asRawHandles)
            let objects = self.objects(layout, seed: 4, skips: true)
            let protected = objects[1].blockIDs[0].last
            let arena = rig.arenaBytes
            try await CPUReference.load(tensors.onCPU, layout, objects, arena: arena, protectedBlockID: protected)
            let expected = tensors.bytes
            tensors.set(before)
            let memory = try rig.device.open(tensors.asRawHandles, layout: layout)
            rig.waitForPinning()
            let outcome = try #require(
                await CUDARig.run(memory, .load, objects, protectedBlockID: protected))
            #expect(outcome.isCompleted)
            let isEqual = tensors.bytes == expected
            #expect(isEqual, "\(one)")
            let isUntouched = rig.arenaBytes == arena
            #expect(isUntouched)
            #expect(CUDARig.counts.pageable_copies == 0)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }

        @Test(arguments: 1...40) func noOrderOfTheStreamsChangesABit(_ seed: UInt64) async throws {
            let form = TensorForm.all[Int(seed) % TensorForm.all.count]
            let one = Case(form: form, strategy: .staging, pinning: seed % 2 == 0 ? .all : .some)
            let rig = self.rig(one, seed: seed &* 77)
            let tensors = EngineTensors(form, name: "o", seed: seed)
            let layout = try form.layout(of: tensors.asStorages)
            let objects = self.objects(layout, seed: seed, skips: false)
            let expected = try await CPUReference.store(tensors.onCPU, layout, objects, arena: rig.arenaBytes)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            // Several at once, so that slots and lists are used again.
            var pending: [PendingTransfer] = []
            for _ in 0..<4 {
                let transfer = PendingTransfer(.store, objects, event: CUDARig.firedEvent())
                #expect(memory.submit(transfer.transfer))
                pending.append(transfer)
            }
            for transfer in pending {
                let outcome = await transfer.outcome
                #expect(outcome.isCompleted && transfer.callCount == 2)
            }
            let isStored = rig.arenaBytes == expected
            #expect(isStored)
            // Other bytes than those that are loaded, so that what is left out shows.
            let scrambled = tensors.bytes.map { $0.map { $0 ^ 0x5a } }
            tensors.set(scrambled)
            try await CPUReference.load(tensors.onCPU, layout, objects, arena: expected, protectedBlockID: nil)
            let loaded = tensors.bytes
            tensors.set(scrambled)
            let outcome = await CUDARig.run(memory, .load, objects)
            #expect(outcome?.isCompleted == true)
            let isLoaded = tensors.bytes == loaded
            #expect(isLoaded)
            memory.close()
        }
    }
}
