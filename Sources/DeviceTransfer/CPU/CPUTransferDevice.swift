// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Copies between engines' POSIX shared memory and the arena, on one thread, first in, first out.
package final class CPUTransferDevice: TransferDevice {
    package let name = "cpu"

    /// Starts the device's thread.
    ///
    /// - Parameters:
    ///   - arena: Must stay mapped until ``stop()`` has returned.
    ///   - queueLimit: Transfers that wait at once, over all registrations.
    package init(arena: ArenaView, queueLimit: Int) {
        _ = (arena, queueLimit)
    }

    package func accepts(_ descriptors: [MemoryDescriptor]) -> Bool {
        descriptors.allSatisfy {
            if case .cpuSharedMemory = $0.storage { true } else { false }
        }
    }

    package func open(
        _ registration: KVCacheRegistration, layout: KVCacheLayout
    ) throws(DeviceError) -> any EngineMemory {
        throw .stopped
    }

    package func stop() {}
}
