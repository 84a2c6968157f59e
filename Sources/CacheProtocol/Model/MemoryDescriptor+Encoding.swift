// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

extension MemoryDescriptor {
    /// The complete extension value.
    func write(to writer: inout MessagePackWriter) {
        writer.write(extension: memoryDescriptorExtension, data: self.encodedData())
    }

    /// The extension's data: type, fields of the type, version, metadata.
    func encodedData() -> [UInt8] {
        encodedFrame { writer in
            switch self.storage {
            case .cpuSharedMemory(let name, let byteCount):
                writer.open(.cpuSharedMemory, fieldCount: 2)
                writer.write("shm_name")
                writer.write(name)
                writer.write("nbytes")
                writer.write(byteCount)
            case .cuda(let storage):
                writer.open(.cuda, fieldCount: 1)
                writer.write(storage)
            case .cudaRaw(let handle, let offset, let byteCount):
                writer.open(.cudaRaw, fieldCount: 3)
                writer.write("ipc_handle")
                writer.write(binary: handle)
                writer.write("alloc_offset")
                writer.write(offset)
                writer.write("nbytes")
                writer.write(byteCount)
            case .cudaVMM(let memory):
                writer.open(.cudaVMM, fieldCount: 6)
                writer.write(memory)
            case .process(let address, let byteCount):
                writer.open(.process, fieldCount: 2)
                writer.write("address")
                writer.write(address)
                writer.write("nbytes")
                writer.write(byteCount)
            }
            writer.write("version")
            writer.write(1)
            writer.write("metadata")
            writer.write(self.tensor, deviceUUID: self.deviceUUID)
        }
    }
}

extension MessagePackWriter {
    fileprivate mutating func open(_ type: DescriptorType, fieldCount: Int) {
        self.writeMapHead(3 + fieldCount)
        self.write("type")
        self.write(type.rawValue)
    }

    fileprivate mutating func write(_ storage: MemoryDescriptor.CUDAStorage) {
        self.write("handle")
        self.writeArrayHead(8)
        self.write(storage.senderDevice)
        self.write(optional: storage.handle)
        self.write(storage.storageByteCount)
        self.write(storage.storageByteOffset)
        self.write(optional: storage.referenceCounterName)
        self.write(storage.referenceCounterIndex)
        self.write(optional: storage.eventHandle)
        self.write(storage.isEventSyncRequired)
    }

    fileprivate mutating func write(_ memory: MemoryDescriptor.CUDAVirtualMemory) {
        self.write("export_id")
        self.write(binary: memory.exportID)
        self.write("kind")
        self.write(memory.fabricHandle == nil ? "posix_fd" : "fabric")
        self.write("fabric_blob")
        self.write(optional: memory.fabricHandle)
        self.write("alloc_size")
        self.write(memory.allocationByteCount)
        self.write("alloc_offset")
        self.write(memory.allocationOffset)
        self.write("nbytes")
        self.write(memory.byteCount)
    }

    fileprivate mutating func write(_ tensor: TensorDescription, deviceUUID: String) {
        self.writeMapHead(5)
        self.write("dtype")
        self.write(tensor.elementType.rawValue)
        self.write("shape")
        self.write(tensor.shape)
        self.write("stride")
        self.write(tensor.stride)
        self.write("storage_offset")
        self.write(tensor.storageOffset)
        self.write("device_uuid")
        self.write(deviceUUID)
    }
}
