// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import Testing

@testable import CUDATransfer

@Suite struct DeviceTensorRequestTests {
    /// 16 × 8 halves: 256 bytes.
    private static func tensor(offset: Int = 0, shape: [Int] = [16, 8], stride: [Int] = [8, 1]) -> TensorDescription {
        TensorDescription(elementType: .float16, shape: shape, stride: stride, storageOffset: offset)
    }

    private static let bytes = [UInt8](repeating: 7, count: 64)

    private static func storage(
        handle: [UInt8]? = [2, 99] + bytes, byteCount: Int = 256, offset: Int = 0
    ) -> MemoryDescriptor.Storage {
        .cuda(
            .init(
                senderDevice: 0, handle: handle, storageByteCount: byteCount, storageByteOffset: offset,
                referenceCounterName: nil, referenceCounterIndex: 0, eventHandle: nil, isEventSyncRequired: false))
    }

    private static func virtual(
        blob: [UInt8]? = bytes, allocation: Int = 512, offset: Int = 128, byteCount: Int = 256
    ) -> MemoryDescriptor.Storage {
        .cudaVMM(
            .init(
                exportID: [1], fabricHandle: blob, allocationByteCount: allocation, allocationOffset: offset,
                byteCount: byteCount))
    }

    private static func read(
        _ storage: MemoryDescriptor.Storage, _ tensor: TensorDescription = tensor()
    ) throws -> DeviceTensorRequest {
        try DeviceTensorRequest(
            MemoryDescriptor(storage: storage, tensor: tensor, deviceUUID: "u"), tensor: 3)
    }

    @Test(arguments: [[2, 99] + bytes, [3, 99] + bytes, bytes])
    func aStorageIsFoundInItsSegment(_ handle: [UInt8]) throws {
        let request = try Self.read(
            Self.storage(handle: handle, byteCount: 276, offset: 4096), Self.tensor(offset: 10))
        #expect(request.key == .interprocess(Self.bytes))
        #expect(request.firstElementOffset == 4096 + 20)
        #expect(request.end == 4096 + 20 + 256)
    }

    @Test func aRawHandleAndVirtualMemoryHaveTheirOffsets() throws {
        let raw = try Self.read(.cudaRaw(handle: Self.bytes, allocationOffset: 512, byteCount: 256))
        #expect(raw.firstElementOffset == 512 && raw.end == 768)
        let virtual = try Self.read(Self.virtual())
        #expect(virtual.key == .fabric(exportID: [1], blob: Self.bytes))
        #expect(virtual.firstElementOffset == 128 && virtual.allocationByteCount == 512)
    }

    @Test(arguments: [
        (storage(handle: nil), tensor(), "empty storage"),
        (storage(handle: [2, 101] + bytes), tensor(), "expandable segment"),
        (storage(handle: [9, 99] + bytes), tensor(), "is not known"),
        (storage(handle: [2, 99] + bytes.dropLast()), tensor(), "65 bytes"),
        (storage(handle: []), tensor(), "0 bytes"),
        (storage(byteCount: 255), tensor(), "has 255 bytes"),
        (storage(offset: -1), tensor(), "offset -1"),
        (storage(offset: .max - 255), tensor(), "overflow"),
        (.cudaRaw(handle: bytes + [0], allocationOffset: 0, byteCount: 256), tensor(), "must have 64"),
        (.cudaRaw(handle: bytes, allocationOffset: 0, byteCount: 255), tensor(), "has 255 bytes"),
        (.cudaRaw(handle: bytes, allocationOffset: .max, byteCount: 256), tensor(), "overflow"),
        (virtual(blob: nil), tensor(), "posix_fd"),
        (virtual(blob: [1]), tensor(), "fabric_blob has 1 bytes"),
        (virtual(allocation: 383), tensor(), "exceed alloc_size"),
        (virtual(allocation: .max, offset: .max), tensor(), "exceed alloc_size"),
        (virtual(offset: -1), tensor(), "exceed alloc_size"),
        (.cpuSharedMemory(name: "/x", byteCount: 256), tensor(), "cpu_shm"),
        (storage(), tensor(shape: [16, 0]), "name no elements"),
        (storage(), tensor(shape: [.max, .max], stride: [.max, 1]), "overflow"),
        (storage(byteCount: .max), tensor(shape: [.max], stride: [1]), "overflow"),
        (storage(), tensor(offset: .max), "overflow"),
        (storage(), tensor(shape: [16], stride: [8, 1]), "overflow"),
        (storage(), tensor(shape: [16, 8], stride: [-8, 1]), "overflow"),
    ])
    func whatDoesNotFitIsRefused(
        _ storage: MemoryDescriptor.Storage, _ tensor: TensorDescription, _ text: String
    ) {
        do {
            _ = try Self.read(storage, tensor)
            Issue.record("accepted: \(storage)")
        } catch let error as DeviceError {
            #expect(error.description.contains("tensor 3"))
            #expect(error.description.contains(text), "\(error)")
        } catch {
            Issue.record("\(error)")
        }
    }
}
