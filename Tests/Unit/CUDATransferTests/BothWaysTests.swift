// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel
import Testing

@testable import CUDATransfer

extension FakeDriverTests {
    /// Stores and loads of one worker do not wait for each other.
    @Suite struct BothWaysTests {
        struct Case: Sendable, CustomStringConvertible {
            let held: Transfer.Direction
            let strategy: CopyStrategy
            let form: Int
            var description: String { "\(self.held) held, \(self.strategy), \(TensorForm.all[self.form])" }
        }

        static let cases: [Case] = [Transfer.Direction.store, .load].flatMap { held in
            [CopyStrategy.staging, .copies].flatMap { strategy in
                TensorForm.all.indices.map { Case(held: held, strategy: strategy, form: $0) }
            }
        }

        /// The held direction's bytes do not move at all, and yet the other's transfers begin, are answered and end.
        @Test(arguments: cases) func oneDirectionEndsWhileTheOtherStands(_ one: Case) async throws {
            let rig = CUDARig(seed: 5) { $0.forcedStrategy = one.strategy }
            defer { lmc_fake_cuda_hold(0) }
            let tensors = EngineTensors(TensorForm.all[one.form], name: "b\(one.form)", seed: 1)
            let layout = try tensors.form.layout(of: tensors.asStorages)
            let memory = try rig.device.open(tensors.asStorages, layout: layout)
            rig.waitForPinning()
            let objects = { (first: Int) in
                layout.objectGroups.prefix(1).map { group in
                    ObjectCopy(
                        objectGroup: 0, place: ArenaRange(offset: first, byteCount: group.layout.byteCount),
                        blockIDs: group.kernelGroups.map { kernel in
                            (0..<Int32(layout.kernelGroups[kernel].blocksPerChunk)).map { $0 }[...]
                        })
                }
            }
            let other: Transfer.Direction = one.held == .store ? .load : .store
            #expect(await CUDARig.run(memory, .store, objects(0))?.isCompleted == true)
            lmc_fake_cuda_hold(one.held == .store ? 1 : 2)
            let standing = PendingTransfer(
                one.held, objects(one.held == .store ? 32_768 : 0), event: CUDARig.firedEvent())
            #expect(memory.submit(standing.transfer))
            while !standing.isEnqueued { usleep(200) }
            for _ in 0..<3 {
                let moving = try #require(await CUDARig.run(memory, other, objects(0)))
                #expect(moving.isCompleted)
            }
            #expect(standing.isCompleted == nil)
            lmc_fake_cuda_hold(0)
            lmc_fake_cuda_run()
            let outcome = await standing.outcome
            #expect(outcome.isCompleted)
            memory.close()
            #expect(CUDARig.waitForNothingOpen())
        }
    }
}
