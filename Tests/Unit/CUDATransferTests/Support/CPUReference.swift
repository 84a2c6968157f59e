// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Glibc
import KVModel
import Testing

/// What the CPU device makes of the same transfer.
enum CPUReference {
    /// The arena after a store that began with `arena`.
    static func store(
        _ registration: KVCacheRegistration, _ layout: KVCacheLayout, _ objects: [ObjectCopy], arena: [UInt8]
    ) async throws -> [UInt8] {
        try await self.run(registration, layout, arena: arena) { memory in
            let transfer = PendingTransfer(.store, objects, event: [])
            #expect(memory.submit(transfer.transfer))
            #expect(await transfer.outcome.isCompleted)
        }
    }

    /// Loads into the registration's tensors.
    static func load(
        _ registration: KVCacheRegistration, _ layout: KVCacheLayout, _ objects: [ObjectCopy], arena: [UInt8],
        protectedBlockID: Int32?
    ) async throws {
        _ = try await self.run(registration, layout, arena: arena) { memory in
            let transfer = PendingTransfer(.load, objects, protectedBlockID, event: [])
            #expect(memory.submit(transfer.transfer))
            #expect(await transfer.outcome.isCompleted)
        }
    }

    private static func run(
        _ registration: KVCacheRegistration, _ layout: KVCacheLayout, arena: [UInt8],
        _ body: (any EngineMemory) async throws -> Void
    ) async throws -> [UInt8] {
        let base = UnsafeMutableRawPointer.allocate(byteCount: arena.count, alignment: 4096)
        defer { base.deallocate() }
        let bytes = UnsafeMutableRawBufferPointer(start: base, count: arena.count)
        bytes.copyBytes(from: arena)
        let device = CPUTransferDevice(arena: ArenaView(base: base, byteCount: arena.count), queueLimit: 4)
        let memory = try device.open(registration, layout: layout)
        try await body(memory)
        memory.close()
        device.stop()
        return Array(bytes)
    }
}

extension TensorForm {
    func layout(of registration: KVCacheRegistration) throws -> KVCacheLayout {
        try KVCacheLayout.detect(
            registration, chunkSize: self.chunkSize, separateObjectGroups: self.isSeparate, deviceIsCPU: false)
    }
}
