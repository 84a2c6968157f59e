// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

/// Bytes were made by Python's `pickle` with the wrapper classes of LMCache 0.5.3 and 0.5.5.
@Suite struct PickledWrapperTests {
    private static let shared = bytes(
        """
        800495e3000000000000008c1b6c6d63616368652e76312e706c6174666f726d2e6370752e73686d948c1343707553686d54656e736f7257
        7261707065729493942981947d94288c0873686d5f6e616d65948c122f6c6d63616368655f6b765f343234325f30948c066e627974657394
        4bc08c0668616e646c65944e8c056474797065948c05746f726368948c0862666c6f617431369493948c05736861706594284b024b064b02
        4b014b0474948c0673747269646594284b304b084b044b044b0174948c0e73746f726167655f6f6666736574944b008c0b6465766963655f
        75756964948c036370759475622e
        """)
    private static let cuda = bytes(
        """
        80049567010000000000008c246c6d63616368652e76312e706c6174666f726d2e637564612e6970635f77726170706572948c0e43756461
        495043577261707065729493942981947d94288c0668616e646c6594284b004342000102030405060708090a0b0c0d0e0f10111213141516
        1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041944a000006004d001043082f74
        6f7263685f31944b034340000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
        00000000000000000000000000000000000000948874948c056474797065948c05746f726368948c0862666c6f617431369493948c057368
        61706594284b024b064b024b014b0474948c0673747269646594284b304b084b044b044b0174948c0e73746f726167655f6f666673657494
        4b008c0b6465766963655f75756964948c0c4750552d30646230376130659475622e
        """)
    private static let raw = bytes(
        """
        80049548010000000000008c246c6d63616368652e76312e706c6174666f726d2e637564612e6970635f77726170706572948c1152617743
        756461495043577261707065729493942981947d94288c145f6970635f68616e646c655f7265736572766564944340000102030405060708
        090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f94
        8c0d5f616c6c6f635f6f6666736574944d00028c075f6e6279746573944bc08c0668616e646c65944e8c056474797065948c05746f726368
        948c0862666c6f617431369493948c05736861706594284b024b064b024b014b0474948c0673747269646594284b304b084b044b044b0174
        948c0e73746f726167655f6f6666736574944b008c065f6f70656e73944b008c0b6465766963655f75756964948c08306462303761306594
        75622e
        """)

    private static let tensor = TensorDescription(
        elementType: .bfloat16, shape: [2, 6, 2, 1, 4], stride: [48, 8, 4, 4, 1], storageOffset: 0)

    @Test func sharedMemoryIsRead() throws {
        let expected = MemoryDescriptor(
            storage: .cpuSharedMemory(name: "/lmcache_kv_4242_0", byteCount: 192), tensor: Self.tensor,
            deviceUUID: "cpu")
        #expect(try Self.decode(Self.shared) == expected)
    }

    @Test func deviceStorageIsRead() throws {
        let storage = MemoryDescriptor.CUDAStorage(
            senderDevice: 0, handle: Array(0..<66), storageByteCount: 393_216, storageByteOffset: 4096,
            referenceCounterName: Array("/torch_1".utf8), referenceCounterIndex: 3,
            eventHandle: Array(repeating: 0, count: 64), isEventSyncRequired: true)
        let expected = MemoryDescriptor(storage: .cuda(storage), tensor: Self.tensor, deviceUUID: "0db07a0e")
        #expect(try Self.decode(Self.cuda) == expected)
    }

    @Test func driverHandleIsRead() throws {
        let expected = MemoryDescriptor(
            storage: .cudaRaw(handle: Array(0..<64), allocationOffset: 512, byteCount: 192), tensor: Self.tensor,
            deviceUUID: "0db07a0e")
        #expect(try Self.decode(Self.raw) == expected)
    }

    @Test func driverHandleWithoutItsPlaceIsRefused() {
        let renamed = Self.replacing("_alloc_offset", with: "_Alloc_offset", in: Self.raw)
        #expect(Self.refusal(of: renamed)?.contains("_alloc_offset of a pickled RawCudaIPCWrapper") == true)
    }

    @Test(arguments: [
        ("CpuShmTensorWrapper", "CpuShmTensorWrappee"), ("lmcache.v1.platform.cpu.shm", "lmkache.v1.platform.cpu.shm"),
        ("/lmcache_kv_4242_0", "/lmcache/kv_4242_0"), ("bfloat16", "bloat160"), ("stride", "stridf"),
        ("torch", "porch"), ("nbytes", "mbytes"),
    ])
    func whatIsNotAWrapperIsRefused(text: String, replacement: String) {
        #expect(Self.refusal(of: Self.replacing(text, with: replacement, in: Self.shared)) != nil)
    }

    @Test func sizeThatIsSmallerThanTheTensorIsRefused() {
        // nbytes 192 becomes 191.
        let smaller = Self.replacing([0x4b, 0xc0], with: [0x4b, 0xbf], in: Self.shared)
        #expect(Self.refusal(of: smaller)?.contains("span") == true)
    }

    /// `os.system("x")` by REDUCE, and an object made with arguments.
    @Test(arguments: [
        "80048c026f738c0673797374656d938c01788552" + "2e",
        "80048c0c6c6d63616368652e76312e788c0158938c017885817d62" + "2e",
        "80042e", "80030000", "80048c0161" + "2e", "8004" + String(repeating: "7d94", count: 300) + "2e",
        "800428282e", "8004680a2e", "80047d2829" + "752e", "8004292985852e",
    ])
    func whatIsNotPlainIsRefused(hex: String) {
        #expect(Self.refusal(of: bytes(hex))?.contains("pickled descriptor") == true)
    }

    @Test func damageIsRefusedOrRead() {
        for whole in [Self.shared, Self.cuda, Self.raw] {
            for length in 2..<whole.count {
                #expect(Self.refusal(of: Array(whole.prefix(length))) != nil)
            }
            for index in whole.indices {
                for mask in [1, 0x80, 0xff] as [UInt8] {
                    var damaged = whole
                    damaged[index] ^= mask
                    _ = Self.refusal(of: damaged)
                }
            }
        }
    }

    private static func decode(_ data: [UInt8]) throws -> MemoryDescriptor {
        var payloads = RegisterRequest(registration: WireFixtures.registration([])).encodedPayloads()
        payloads[1] = MessagePackValue.array([.extension(type: 1, data: data)]).encoded
        return try #require(try RegisterRequest(payloads: payloads).registration.tensors.first)
    }

    private static func refusal(of data: [UInt8]) -> String? {
        do { _ = try Self.decode(data) } catch { return "\(error)" }
        return nil
    }

    private static func replacing(_ text: String, with other: String, in data: [UInt8]) -> [UInt8] {
        Self.replacing(Array(text.utf8), with: Array(other.utf8), in: data)
    }

    private static func replacing(_ part: [UInt8], with other: [UInt8], in data: [UInt8]) -> [UInt8] {
        guard let start = data.indices.first(where: { data[$0...].starts(with: part) }) else { return [] }
        return Array(data[..<start]) + other + data[(start + part.count)...]
    }
}

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
