// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

extension PayloadReader {
    /// True for the old form: byte 0x80 opens a pickle, and as MessagePack would be an empty map with bytes behind it.
    var isPickled: Bool {
        var ahead = self.messages
        guard let count = try? ahead.readMapCount() else { return false }
        return count == 0 && ahead.remaining > 0
    }

    /// `{dtype, shape, stride, storage_offset, device_uuid}`, all required, nothing else allowed.
    mutating func tensorMetadata(
        _ outer: String
    ) throws(ProtocolError) -> (tensor: TensorDescription, deviceUUID: String) {
        var elementType: ElementType?
        var shape: [Int]?
        var stride: [Int]?
        var offset: Int?
        var deviceUUID: String?
        let sizes = 0...Int(Int64.max)
        for _ in 0..<(try self.mapCount(outer)) {
            let name = try self.string(outer)
            let field = outer + "." + name
            switch name {
            case "dtype": elementType = try self.elementType(field)
            case "shape": shape = try self.integerList(field, limit: ProtocolLimits.rank, in: sizes)
            case "stride": stride = try self.integerList(field, limit: ProtocolLimits.rank, in: sizes)
            case "storage_offset": offset = try self.integer(field, in: sizes)
            case "device_uuid": deviceUUID = try self.name(field)
            default: throw .notAccepted(field: field, given: "an unknown field", accepted: "only those of a tensor")
            }
        }
        guard let elementType else { throw .missing(field: outer + ".dtype") }
        guard let shape else { throw .missing(field: outer + ".shape") }
        guard let stride else { throw .missing(field: outer + ".stride") }
        guard let offset else { throw .missing(field: outer + ".storage_offset") }
        guard let deviceUUID else { throw .missing(field: outer + ".device_uuid") }
        guard shape.count == stride.count else {
            let given = "\(stride.count) strides"
            throw .notAccepted(field: outer + ".stride", given: given, accepted: "\(shape.count), one an axis")
        }
        guard Self.isCountable(shape, elementType) else {
            throw .notAccepted(
                field: outer + ".shape",
                given: "\(shape)",
                accepted: "a tensor of fewer than 2^63 bytes"
            )
        }
        let tensor = TensorDescription(elementType: elementType, shape: shape, stride: stride, storageOffset: offset)
        return (tensor, deviceUUID)
    }

    /// True when no product of axes, as strides of 0 would allow, exceeds what readers can multiply.
    private static func isCountable(_ shape: [Int], _ elementType: ElementType) -> Bool {
        var bytes = elementType.byteCount
        for size in shape {
            let (product, overflowed) = bytes.multipliedReportingOverflow(by: max(1, size))
            if overflowed { return false }
            bytes = product
        }
        return true
    }

    mutating func elementType(_ field: String) throws(ProtocolError) -> ElementType {
        let text = try self.string(field)
        guard let type = ElementType(torchName: text) else {
            let accepted = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
            throw .notAccepted(field: field, given: text, accepted: accepted)
        }
        return type
    }

    mutating func binary(_ field: String, byteCount: Int) throws(ProtocolError) -> [UInt8] {
        let bytes = try self.binary(field)
        guard bytes.count == byteCount else {
            throw .notAccepted(field: field, given: "\(bytes.count) bytes", accepted: "\(byteCount)")
        }
        return bytes
    }

    /// A name for `shm_open`: one leading slash at most, no other, and short enough for a file name.
    mutating func sharedMemoryName(_ field: String) throws(ProtocolError) -> String {
        let name = try self.string(field)
        let file = name.utf8.first == UInt8(ascii: "/") ? name.dropFirst() : name[...]
        let isNamed = !file.isEmpty && file != "." && file != ".." || name.isEmpty
        guard isNamed, name.utf8.count <= 255, !file.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") }) else {
            throw .notAccepted(field: field, given: name, accepted: "the name of a shared-memory segment")
        }
        return name
    }

    /// The eight parts of PyTorch's storage handle, wire protocol §3.2.
    mutating func cudaStorage(_ field: String) throws(ProtocolError) -> MemoryDescriptor.CUDAStorage {
        let sizes = 0...Int(Int64.max)
        try self.tuple(field, count: 8)
        let device = try self.integer(field + "[0]", as: Int.self)
        let handle = try self.optionalBinary(field + "[1]")
        let byteCount = try self.integer(field + "[2]", in: sizes)
        let byteOffset = try self.integer(field + "[3]", in: sizes)
        let counterName = try self.optionalBinary(field + "[4]")
        let counterIndex = try self.integer(field + "[5]", in: sizes)
        let event = try self.optionalBinary(field + "[6]")
        return MemoryDescriptor.CUDAStorage(
            senderDevice: device,
            handle: handle,
            storageByteCount: byteCount,
            storageByteOffset: byteOffset,
            referenceCounterName: counterName,
            referenceCounterIndex: counterIndex,
            eventHandle: event,
            isEventSyncRequired: try self.boolean(field + "[7]")
        )
    }
}
