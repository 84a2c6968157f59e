// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import Glibc
import KVModel

/// The events with which PyTorch marks when shared storages were ready. Wire protocol §3.2.
struct SharingEvents {
    let driver: CUDADriver
    /// Time since any fixed moment.
    let uptime: @Sendable () -> Duration

    /// In all. What is not ready then is ordered by the event of the first transfer, as all of the engine's later work.
    private static let limit = Duration.seconds(1)

    /// Waits for those of a registration. The context must be current; what cannot be opened is left out.
    func wait(for tensors: [MemoryDescriptor]) {
        let start = self.uptime()
        for tensor in tensors {
            guard case .cuda(let storage) = tensor.storage, storage.isEventSyncRequired,
                let bytes = storage.eventHandle, let handle = lmc_cu_handle(bytes)
            else { continue }
            var event: OpaquePointer?
            guard lmc_cuda_ipc_open_event(self.driver.calls, &event, handle) == CUDACode.success, let event else {
                continue
            }
            while lmc_cuda_event_query(self.driver.calls, event) == CUDACode.notReady,
                self.uptime() - start < Self.limit
            { usleep(200) }
            _ = lmc_cuda_event_destroy(self.driver.calls, event)
        }
    }
}
