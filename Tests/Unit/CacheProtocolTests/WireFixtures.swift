// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel
import MessagePack

/// Well-formed values that tests damage.
enum WireFixtures {
    static let key = CacheKey(
        modelName: "my/model",
        worldSize: 2,
        workerID: 1,
        tokenIDs: [1, 200, 70_000],
        start: 0,
        end: 3,
        requestID: "request",
        cacheSalt: "tenant",
        requestConfigurations: nil,
        readerCount: 1
    )

    static var keyMap: [MessagePackValue.Entry] { Self.map(LookupRequest(key: Self.key).encodedPayloads()[0]) }

    static let descriptor = MemoryDescriptor(
        storage: .cpuSharedMemory(name: "/segment", byteCount: 192),
        tensor: TensorDescription(
            elementType: .float16,
            shape: [2, 6, 2, 1, 4],
            stride: [48, 8, 4, 4, 1],
            storageOffset: 0
        ),
        deviceUUID: "cpu"
    )

    static func registration(_ descriptors: [MemoryDescriptor]) -> KVCacheRegistration {
        KVCacheRegistration(
            instanceID: InstanceID(7),
            modelName: "my/model",
            worldSize: 1,
            engine: .vllm,
            tensors: descriptors,
            hints: LayoutHints(kvLayout: .nhd),
            groups: []
        )
    }

    /// The entries of one encoded map.
    static func map(_ frame: [UInt8]) -> [MessagePackValue.Entry] {
        var reader = MessagePackReader(frame)
        guard case .map(let entries)? = try? reader.readValue() else { return [] }
        return entries
    }
}

extension [MessagePackValue.Entry] {
    /// The map with one field's value replaced, or added at the end.
    func setting(_ field: String, _ value: MessagePackValue) -> [MessagePackValue.Entry] {
        var entries = self
        if let index = entries.firstIndex(where: { $0.key == .string(field) }) {
            entries[index].value = value
        } else {
            entries.append(.init(.string(field), value))
        }
        return entries
    }

    func removing(_ field: String) -> [MessagePackValue.Entry] {
        self.filter { $0.key != .string(field) }
    }

    var encoded: [UInt8] { MessagePackValue.map(self).encoded }
}

extension ProtocolError {
    /// The field that the error names.
    var field: String? {
        switch self {
        case .payloadCount: nil
        case .malformed(let field, _), .missing(let field), .notAccepted(let field, _, _): field
        }
    }
}
