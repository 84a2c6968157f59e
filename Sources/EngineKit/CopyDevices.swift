// lmcache · SPDX-License-Identifier: Apache-2.0

import CUDATransfer
import DeviceTransfer
import L1Cache
import Logging

/// The devices that reach into one arena.
struct CopyDevices {
    let cpu: CPUTransferDevice
    let inline: InlineChunkCopier
    /// Opens a driver only when a worker registers CUDA memory.
    let cuda: CUDATransferDevice

    /// Starts a thread for each.
    init(cache: L1Cache, queueLimit: Int, opensProcessMemory: Bool, logger: Logger) {
        // The cache unmaps its arena in stop(), which the engine calls after its devices have stopped.
        let arena = unsafe ArenaView(base: cache.arenaBase, byteCount: cache.capacityBytes)
        self.cpu = CPUTransferDevice(
            arena: arena, queueLimit: queueLimit, opensProcessMemory: opensProcessMemory)
        self.inline = InlineChunkCopier(arena: arena, queueLimit: queueLimit)
        var settings = CUDASettings.fromEnvironment()
        settings.queueLimit = queueLimit
        self.cuda = CUDATransferDevice(
            arena: ArenaSource(
                view: arena, committedByteCount: { cache.usage().committedBytes }, commitAll: { cache.commitAhead() }),
            settings: settings, opensProcessMemory: opensProcessMemory,
            notify: { notice in
                switch notice {
                case .info(let text): logger.info("\(text)")
                case .warning(let text): logger.warning("\(text)")
                case .error(let text): logger.error("\(text)")
                }
            })
    }
}
