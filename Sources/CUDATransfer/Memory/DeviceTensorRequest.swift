// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel

/// Which allocation a tensor needs and where in it its elements lie: the checked form of a descriptor.
struct DeviceTensorRequest: Equatable {
    let tensor: Int
    let key: AllocationTable.Key
    /// Of the whole allocation where the descriptor says it; only virtual memory and that of
    /// this process need it.
    let allocationByteCount: Int
    /// From the allocation's start to the tensor's first element.
    let firstElementOffset: Int
    /// From the allocation's start to the end of the last element.
    let end: Int
    /// PyTorch's count of this share; nil where there is none.
    let reference: TorchReference?

    /// Reads one descriptor. `tensor` is its index, for messages.
    init(_ descriptor: MemoryDescriptor, tensor: Int) throws(DeviceError) {
        guard let span = descriptor.tensor.byteSpan, span > 0 else {
            throw .invalid("tensor \(tensor): its shape and stride name no elements or overflow")
        }
        let lead: Int
        let limit: Int
        switch descriptor.storage {
        case .cuda(let storage):
            self.key = .interprocess(try Self.handle(storage, tensor: tensor))
            (lead, limit) = (storage.storageByteOffset, storage.storageByteCount)
            self.allocationByteCount = 0
        case .cudaRaw(let handle, let offset, let byteCount):
            guard handle.count == 64 else {
                throw .invalid("tensor \(tensor): ipc_handle has \(handle.count) bytes; it must have 64")
            }
            self.key = .interprocess(handle)
            (lead, limit) = (offset, byteCount)
            self.allocationByteCount = 0
        case .cudaVMM(let memory):
            guard let blob = memory.fabricHandle else {
                throw .invalid(
                    "tensor \(tensor): cuda_vmm with kind posix_fd needs a file descriptor, which cannot travel in a "
                        + "message; kind fabric, or memory of cudaMalloc (type cuda or cuda_raw), is accepted")
            }
            guard blob.count == 64 else {
                throw .invalid("tensor \(tensor): fabric_blob has \(blob.count) bytes; it must have 64")
            }
            self.key = .fabric(exportID: memory.exportID, blob: blob)
            (lead, limit) = (memory.allocationOffset, memory.byteCount)
            self.allocationByteCount = memory.allocationByteCount
            let (end, overflowed) = lead.addingReportingOverflow(limit)
            guard lead >= 0, limit >= 0, !overflowed, end <= memory.allocationByteCount else {
                throw .invalid(
                    "tensor \(tensor): alloc_offset \(lead) and nbytes \(limit) exceed alloc_size "
                        + "\(memory.allocationByteCount)")
            }
        case .process(let address, let byteCount):
            self.key = .process(address: address)
            (lead, limit) = (0, byteCount)
            self.allocationByteCount = byteCount
        case .cpuSharedMemory:
            throw .wrongKind("tensor \(tensor): its type is cpu_shm, beside tensors of a CUDA device")
        }
        guard span <= limit else {
            throw .invalid("tensor \(tensor): its elements end at byte \(span), its memory has \(limit) bytes")
        }
        let (end, overflowed) = lead.addingReportingOverflow(span)
        guard lead >= 0, !overflowed else {
            throw .invalid("tensor \(tensor): offset \(lead) and size \(span) overflow")
        }
        self.tensor = tensor
        self.reference = TorchReference(descriptor.storage)
        self.end = end
        // Within the span, so it cannot overflow.
        self.firstElementOffset = lead + descriptor.tensor.storageOffset * descriptor.tensor.elementType.byteCount
    }

    /// The driver's 64 bytes out of PyTorch's 66: version, kind, handle.
    private static func handle(_ storage: MemoryDescriptor.CUDAStorage, tensor: Int) throws(DeviceError) -> [UInt8] {
        guard let handle = storage.handle else {
            throw .invalid("tensor \(tensor): it has no handle, as an empty storage; layers must have memory")
        }
        if handle.count == 64 { return handle }
        if handle.count >= 2, handle[1] == UInt8(ascii: "e") {
            throw .invalid(
                "tensor \(tensor): its memory is an expandable segment, whose file descriptors cannot travel in a "
                    + "message; start the engine without PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True")
        }
        guard handle.count == 66, handle[0] == 2 || handle[0] == 3, handle[1] == UInt8(ascii: "c") else {
            throw .invalid(
                "tensor \(tensor): a handle of \(handle.count) bytes beginning \(handle.prefix(2)) is not known; "
                    + "accepted are PyTorch's versions 2 and 3 of kind c (66 bytes) and 64 plain bytes")
        }
        return Array(handle[2...])
    }
}
