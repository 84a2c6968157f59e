// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import L1Cache

/// The devices that reach into one arena.
struct CopyDevices {
    let cpu: CPUTransferDevice
    let inline: InlineChunkCopier

    /// Starts a thread for each.
    init(cache: L1Cache, queueLimit: Int, opensProcessMemory: Bool) {
        // The cache unmaps its arena in stop(), which the engine calls after its devices have stopped.
        let arena = unsafe ArenaView(base: cache.arenaBase, byteCount: cache.capacityBytes)
        self.cpu = CPUTransferDevice(
            arena: arena, queueLimit: queueLimit, opensProcessMemory: opensProcessMemory)
        self.inline = InlineChunkCopier(arena: arena, queueLimit: queueLimit)
    }
}
