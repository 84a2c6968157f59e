// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel

/// Tensors of an engine in shared memory, which both the CPU device and the fake driver can open.
final class EngineTensors: @unchecked Sendable {  // the memory is touched by one side at a time
    let form: TensorForm
    /// One segment a tensor.
    let segments: [UnsafeMutableRawBufferPointer]
    private let names: [String]
    let handles: [[UInt8]]
    /// Bytes before the first tensor's allocation begins to be used, as an allocator's segment has.
    static let lead = 512

    init(_ form: TensorForm, name: String, seed: UInt64) {
        self.form = form
        var random = SeededRandom(seed)
        var segments: [UnsafeMutableRawBufferPointer] = []
        var names: [String] = []
        var handles: [[UInt8]] = []
        for index in form.tensors.indices {
            let length = Self.lead + (form.tensors[index].byteSpan ?? 0) + 64
            let name = "/lmc_cuda_test_\(getpid())_\(name)_\(index)"
            let file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
            precondition(file >= 0 && ftruncate(file, length) == 0, "shared memory for the test")
            guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), base != MAP_FAILED else {
                preconditionFailure("mmap failed")
            }
            close(file)
            let bytes = UnsafeMutableRawBufferPointer(start: base, count: length)
            for position in bytes.indices { bytes[position] = UInt8(truncatingIfNeeded: random.next()) }
            segments.append(bytes)
            names.append(name)
            var handle = [UInt8](repeating: 0, count: 64)
            lmc_fake_cuda_make_memory(base, length, &handle)
            handles.append(handle)
        }
        self.segments = segments
        self.names = names
        self.handles = handles
    }

    deinit {
        for name in self.names { shm_unlink(name) }
        for segment in self.segments { munmap(segment.baseAddress, segment.count) }
    }

    var bytes: [[UInt8]] { self.segments.map { Array($0) } }

    func set(_ contents: [[UInt8]]) {
        for (segment, bytes) in zip(self.segments, contents) { segment.copyBytes(from: bytes) }
    }

    /// As a CPU engine registers them.
    var onCPU: KVCacheRegistration {
        self.registration { index, tensor in
            var tensor = tensor
            tensor.storageOffset = Self.lead / tensor.elementType.byteCount
            return MemoryDescriptor(
                storage: .cpuSharedMemory(name: self.names[index], byteCount: self.segments[index].count),
                tensor: tensor, deviceUUID: "cpu")
        }
    }

    /// As PyTorch's shared storages: the storage begins in the middle of its segment.
    var asStorages: KVCacheRegistration {
        self.registration { index, tensor in
            MemoryDescriptor(
                storage: .cuda(
                    .init(
                        senderDevice: 3, handle: [2, UInt8(ascii: "c")] + self.handles[index],
                        storageByteCount: tensor.byteSpan ?? 0, storageByteOffset: Self.lead,
                        referenceCounterName: nil, referenceCounterIndex: 0, eventHandle: nil,
                        isEventSyncRequired: false)),
                tensor: tensor, deviceUUID: CUDARig.uuid)
        }
    }

    /// As plain driver handles.
    var asRawHandles: KVCacheRegistration {
        self.registration { index, tensor in
            MemoryDescriptor(
                storage: .cudaRaw(
                    handle: self.handles[index], allocationOffset: Self.lead, byteCount: tensor.byteSpan ?? 0),
                tensor: tensor, deviceUUID: CUDARig.uuid)
        }
    }

    func registration(_ describe: (Int, TensorDescription) -> MemoryDescriptor) -> KVCacheRegistration {
        KVCacheRegistration(
            instanceID: InstanceID(7), modelName: "m", worldSize: 1, engine: self.form.engine,
            tensors: self.form.tensors.enumerated().map { describe($0, $1) }, hints: self.form.hints,
            groups: self.form.groups)
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
