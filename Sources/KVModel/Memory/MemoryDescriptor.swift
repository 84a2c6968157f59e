// lmcache · SPDX-License-Identifier: Apache-2.0

/// How to reach one KV tensor of an engine from another process.
///
/// Source: wire protocol §3. `deviceUUID` is `cpu`, or the lower-case UUID of a CUDA device.
package struct MemoryDescriptor: Sendable, Equatable {
    package var storage: Storage
    package var tensor: TensorDescription
    package var deviceUUID: String

    package init(storage: Storage, tensor: TensorDescription, deviceUUID: String) {
        self.storage = storage
        self.tensor = tensor
        self.deviceUUID = deviceUUID
    }

    /// The kinds of shared storage that the protocol names.
    package enum Storage: Sendable, Equatable {
        /// A POSIX shared-memory segment of the client, mapped whole. Name `""` and 0 bytes: an empty tensor.
        case cpuSharedMemory(name: String, byteCount: Int)
        case cuda(CUDAStorage)
        /// Plain driver handle of a whole allocation; element 0 lies `allocationOffset` bytes into it.
        case cudaRaw(handle: [UInt8], allocationOffset: Int, byteCount: Int)
        case cudaVMM(CUDAVirtualMemory)
        /// Memory of this very process, for the in-process library's direct door only. Element 0 lies
        /// `tensor.storageOffset` elements after `address`, which is a device's address where `deviceUUID` names one.
        case process(address: Int, byteCount: Int)
    }

    /// Whether the descriptor means something in one process only, so that no other may ask for it.
    package var isOfProcess: Bool {
        if case .process = self.storage { true } else { false }
    }

    /// A segment of PyTorch's CUDA allocator. Offsets and sizes in bytes.
    package struct CUDAStorage: Sendable, Equatable {
        /// The sender's ordinal; not meaningful here.
        package var senderDevice: Int
        /// Version byte, kind byte and the driver's 64 bytes; nil for an empty storage.
        package var handle: [UInt8]?
        package var storageByteCount: Int
        package var storageByteOffset: Int
        package var referenceCounterName: [UInt8]?
        package var referenceCounterIndex: Int
        package var eventHandle: [UInt8]?
        package var isEventSyncRequired: Bool

        package init(
            senderDevice: Int, handle: [UInt8]?, storageByteCount: Int, storageByteOffset: Int,
            referenceCounterName: [UInt8]?, referenceCounterIndex: Int, eventHandle: [UInt8]?, isEventSyncRequired: Bool
        ) {
            self.senderDevice = senderDevice
            self.handle = handle
            self.storageByteCount = storageByteCount
            self.storageByteOffset = storageByteOffset
            self.referenceCounterName = referenceCounterName
            self.referenceCounterIndex = referenceCounterIndex
            self.eventHandle = eventHandle
            self.isEventSyncRequired = isEventSyncRequired
        }
    }

    /// An allocation of the driver's virtual-memory interface. Offsets and sizes in bytes.
    package struct CUDAVirtualMemory: Sendable, Equatable {
        package var exportID: [UInt8]
        /// The 64-byte fabric handle; nil means a POSIX file descriptor that must arrive some other way.
        package var fabricHandle: [UInt8]?
        package var allocationByteCount: Int
        package var allocationOffset: Int
        package var byteCount: Int

        package init(
            exportID: [UInt8], fabricHandle: [UInt8]?, allocationByteCount: Int, allocationOffset: Int, byteCount: Int
        ) {
            self.exportID = exportID
            self.fabricHandle = fabricHandle
            self.allocationByteCount = allocationByteCount
            self.allocationOffset = allocationOffset
            self.byteCount = byteCount
        }
    }
}
