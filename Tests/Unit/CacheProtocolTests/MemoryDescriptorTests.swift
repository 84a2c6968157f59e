// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack
import Testing

@Suite struct MemoryDescriptorTests {
    private static func data(of descriptor: MemoryDescriptor) -> [MessagePackValue.Entry] {
        let payloads = RegisterRequest(registration: WireFixtures.registration([descriptor])).encodedPayloads()
        var reader = MessagePackReader(payloads[1])
        guard case .array(let elements)? = try? reader.readValue(), case .extension(1, let data)? = elements.first
        else { return [] }
        return WireFixtures.map(data)
    }

    private static func decode(_ value: MessagePackValue) throws -> MemoryDescriptor {
        var payloads = RegisterRequest(registration: WireFixtures.registration([])).encodedPayloads()
        payloads[1] = MessagePackValue.array([value]).encoded
        return try #require(try RegisterRequest(payloads: payloads).registration.tensors.first)
    }

    private static func decode(_ map: [MessagePackValue.Entry]) throws -> MemoryDescriptor {
        try Self.decode(.extension(type: 1, data: map.encoded))
    }

    private static let tensor = WireFixtures.descriptor.tensor
    private static let raw = MemoryDescriptor(
        storage: .cudaRaw(handle: Array(repeating: 1, count: 64), allocationOffset: 512, byteCount: 192),
        tensor: Self.tensor,
        deviceUUID: "0db07a0e"
    )
    private static let virtual = MemoryDescriptor(
        storage: .cudaVMM(
            .init(
                exportID: Array(repeating: 2, count: 16),
                fabricHandle: Array(repeating: 3, count: 64),
                allocationByteCount: 1024,
                allocationOffset: 512,
                byteCount: 192
            )
        ),
        tensor: Self.tensor,
        deviceUUID: "0db07a0e"
    )
    private static let shared = MemoryDescriptor(
        storage: .cuda(
            .init(
                senderDevice: 3,
                handle: Array(repeating: 4, count: 66),
                storageByteCount: 192,
                storageByteOffset: 64,
                referenceCounterName: nil,
                referenceCounterIndex: 0,
                eventHandle: nil,
                isEventSyncRequired: false
            )
        ),
        tensor: Self.tensor,
        deviceUUID: "0db07a0e"
    )

    private static let process = MemoryDescriptor(
        storage: .process(address: 0x7F00_0000_1000, byteCount: 192), tensor: Self.tensor, deviceUUID: "cpu")

    @Test(
        arguments: [
            ("address", .integer(0)), ("address", .integer(-4096)), ("address", .integer(.max)), ("address", .nil),
            ("nbytes", .integer(191)), ("nbytes", .integer(.max)),
        ] as [(String, MessagePackValue)])
    func processFieldThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try Self.decode(Self.data(of: Self.process).setting(field, value)) }
    }

    @Test func everyTypeSurvivesInAnyOrder() throws {
        for descriptor in [WireFixtures.descriptor, Self.raw, Self.virtual, Self.shared, Self.process] {
            #expect(try Self.decode(Self.data(of: descriptor)) == descriptor)
            #expect(try Self.decode(Self.data(of: descriptor).reversed()) == descriptor)
        }
    }

    @Test func everyFieldIsRequiredAndNoOtherIsAllowed() {
        for descriptor in [WireFixtures.descriptor, Self.raw, Self.virtual, Self.shared, Self.process] {
            let map = Self.data(of: descriptor)
            for entry in map {
                guard case .string(let name) = entry.key else { continue }
                let error = #expect(throws: ProtocolError.self) { try Self.decode(map.removing(name)) }
                #expect(error == .missing(field: "payload 1 kv_caches[0].\(name)"))
            }
            let error = #expect(throws: ProtocolError.self) { try Self.decode(map.setting("future", .nil)) }
            #expect(error?.field == "payload 1 kv_caches[0].future")
        }
        // A field of another type is as unknown as any.
        #expect(throws: ProtocolError.self) {
            try Self.decode(Self.data(of: WireFixtures.descriptor).setting("alloc_offset", .integer(0)))
        }
    }

    @Test(
        arguments: [
            ("type", .string("musa")), ("type", .string("npu")), ("type", .nil), ("version", .integer(2)),
            ("version", .integer(0)), ("version", .string("1")), ("nbytes", .integer(191)), ("nbytes", .integer(-1)),
            ("nbytes", .double(192)), ("shm_name", .string("")), ("shm_name", .string("/a/b")),
            ("shm_name", .string("/")), ("shm_name", .string("/..")), ("shm_name", .string("a\0")),
            ("shm_name", .string(String(repeating: "x", count: 256))), ("shm_name", .binary([0x61])),
            ("metadata", .nil), ("metadata", .map([])),
        ] as [(String, MessagePackValue)]
    )
    func sharedMemoryFieldThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        #expect(throws: ProtocolError.self) {
            try Self.decode(Self.data(of: WireFixtures.descriptor).setting(field, value))
        }
    }

    @Test(
        arguments: [
            ("dtype", .string("complex64")), ("dtype", .integer(1)), ("shape", .array([.integer(2)])),
            ("shape", .array([.integer(-1), .integer(6), .integer(2), .integer(1), .integer(4)])),
            ("shape", .array(Array(repeating: .integer(.max), count: 5))), ("stride", .array([])),
            ("stride", .array(Array(repeating: .integer(.max), count: 5))),
            ("stride", .array([.integer(-48), .integer(8), .integer(4), .integer(4), .integer(1)])),
            ("storage_offset", .integer(-1)), ("storage_offset", .integer(1)), ("storage_offset", .integer(.max)),
            ("device_uuid", .nil), ("future", .nil),
        ] as [(String, MessagePackValue)]
    )
    func metadataThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        let map = Self.data(of: WireFixtures.descriptor)
        guard case .map(let metadata)? = map.first(where: { $0.key == .string("metadata") })?.value else {
            Issue.record("no metadata")
            return
        }
        #expect(throws: ProtocolError.self) {
            try Self.decode(map.setting("metadata", .map(metadata.setting(field, value))))
        }
        for entry in metadata {
            guard case .string(let name) = entry.key else { continue }
            #expect(throws: ProtocolError.missing(field: "payload 1 kv_caches[0].metadata." + name)) {
                try Self.decode(map.setting("metadata", .map(metadata.removing(name))))
            }
        }
    }

    /// A stride of 0 keeps the span small: the count of elements must still not overflow.
    @Test func uncountableShapeIsRefused() {
        var descriptor = WireFixtures.descriptor
        descriptor.tensor.shape = [1 << 31, 1 << 31, 4]
        descriptor.tensor.stride = [0, 0, 0]
        #expect(descriptor.tensor.byteSpan == 2)
        #expect(throws: ProtocolError.self) { try Self.decode(Self.data(of: descriptor)) }
    }

    @Test(
        arguments: [
            ("ipc_handle", .binary(Array(repeating: 1, count: 63))), ("ipc_handle", .nil), ("nbytes", .integer(191)),
            ("alloc_offset", .integer(-1)),
        ] as [(String, MessagePackValue)]
    )
    func rawHandleThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try Self.decode(Self.data(of: Self.raw).setting(field, value)) }
    }

    @Test(
        arguments: [
            ("export_id", .binary([1])), ("kind", .string("posix_fd")), ("kind", .string("other")),
            ("fabric_blob", .nil),
            ("fabric_blob", .binary([])), ("alloc_size", .integer(703)), ("alloc_offset", .integer(.max)),
            ("nbytes", .integer(191)), ("nbytes", .integer(.max)),
        ] as [(String, MessagePackValue)]
    )
    func virtualMemoryThatIsNotAcceptedIsRefused(field: String, value: MessagePackValue) {
        #expect(throws: ProtocolError.self) { try Self.decode(Self.data(of: Self.virtual).setting(field, value)) }
    }

    @Test func storageHandleHasEightPartsOfTheirTypes() throws {
        let map = Self.data(of: Self.shared)
        guard case .array(let parts)? = map.first(where: { $0.key == .string("handle") })?.value else {
            Issue.record("no handle")
            return
        }
        let wrong: [[MessagePackValue]] = [
            [.string("0"), .double(0)], [.string(""), .integer(1)], [.integer(191), .integer(-1)],
            [.integer(-1), .nil],
            [.string(""), .integer(1)], [.integer(-1), .nil], [.string(""), .integer(0)], [.integer(0), .nil],
        ]
        for (index, values) in wrong.enumerated() {
            for value in values {
                var changed = parts
                changed[index] = value
                #expect(throws: ProtocolError.self, "part \(index)") {
                    try Self.decode(map.setting("handle", .array(changed)))
                }
            }
        }
        #expect(throws: ProtocolError.self) { try Self.decode(map.setting("handle", .array(parts.dropLast()))) }
        #expect(throws: ProtocolError.self) { try Self.decode(map.setting("handle", .array(parts + [.nil]))) }
        // No handle stands for a storage of no bytes.
        var empty = parts
        empty[1] = .nil
        #expect(throws: ProtocolError.self) { try Self.decode(map.setting("handle", .array(empty))) }
    }

    @Test func pickledAndForeignExtensionsAreRefused() {
        let pickled = #expect(throws: ProtocolError.self) {
            try Self.decode(.extension(type: 1, data: [0x80, 0x04, 0x95, 0x2e]))
        }
        #expect(pickled?.description.contains("a pickled descriptor that") == true)
        let map = Self.data(of: WireFixtures.descriptor).encoded
        #expect(throws: ProtocolError.self) { try Self.decode(.extension(type: 2, data: map)) }
        #expect(throws: ProtocolError.self) { try Self.decode(.extension(type: 1, data: map + [0xc0])) }
        #expect(throws: ProtocolError.self) { try Self.decode(.binary(map)) }
    }

    @Test func emptyTensorNeedsNoSegment() throws {
        let empty = MemoryDescriptor(
            storage: .cpuSharedMemory(name: "", byteCount: 0),
            tensor: TensorDescription(elementType: .float32, shape: [0, 4], stride: [4, 1], storageOffset: 0),
            deviceUUID: "cpu"
        )
        #expect(try Self.decode(Self.data(of: empty)) == empty)
    }
}
