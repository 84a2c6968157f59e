// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// The one extension type of the protocol.
let memoryDescriptorExtension: Int8 = 1

/// The fields of a descriptor's map, of whichever type, as they are found.
///
/// Wire protocol §3.
private struct PartialDescriptor {
    var address: Int?
    var handle: MemoryDescriptor.CUDAStorage?
    var ipcHandle: [UInt8]?
    var exportID: [UInt8]?
    var vmmKind: VMMKind?
    var fabricBlob: [UInt8]??
    var sharedMemoryName: String?
    var byteCount: Int?
    var allocationOffset: Int?
    var allocationSize: Int?
    var version: Int?
    var metadata: (tensor: TensorDescription, deviceUUID: String)?

    enum VMMKind: String, CaseIterable { case posixDescriptor = "posix_fd", fabric }

    mutating func take(_ name: String, from reader: inout PayloadReader) throws(ProtocolError) {
        switch name {
        case "type": try reader.skip(name)
        case "version": self.version = try reader.integer(name, in: 1...1)
        case "metadata": self.metadata = try reader.tensorMetadata(name)
        case "address": self.address = try reader.integer(name, in: 1...Int(Int64.max))
        case "shm_name": self.sharedMemoryName = try reader.sharedMemoryName(name)
        case "nbytes": self.byteCount = try reader.integer(name, in: 0...Int(Int64.max))
        case "alloc_offset": self.allocationOffset = try reader.integer(name, in: 0...Int(Int64.max))
        case "alloc_size": self.allocationSize = try reader.integer(name, in: 0...Int(Int64.max))
        case "ipc_handle": self.ipcHandle = try reader.binary(name, byteCount: 64)
        case "export_id": self.exportID = try reader.binary(name, byteCount: 16)
        case "kind": self.vmmKind = try reader.choice(name)
        case "fabric_blob": self.fabricBlob = .some(try reader.isNil(name) ? nil : reader.binary(name, byteCount: 64))
        case "handle": self.handle = try reader.cudaStorage(name)
        default: throw .notAccepted(field: name, given: "an unknown field", accepted: "only those of its type")
        }
    }

    func descriptor(of type: DescriptorType) throws(ProtocolError) -> MemoryDescriptor {
        guard self.version != nil else { throw .missing(field: "version") }
        guard let metadata = self.metadata else { throw .missing(field: "metadata") }
        let storage: MemoryDescriptor.Storage
        switch type {
        case .cpuSharedMemory: storage = try self.sharedMemory()
        case .cuda: storage = try self.cuda()
        case .cudaRaw: storage = try self.cudaRaw()
        case .cudaVMM: storage = try self.cudaVMM()
        case .process: storage = try self.process()
        }
        return MemoryDescriptor(storage: storage, tensor: metadata.tensor, deviceUUID: metadata.deviceUUID)
    }

    private func sharedMemory() throws(ProtocolError) -> MemoryDescriptor.Storage {
        guard let name = self.sharedMemoryName else { throw .missing(field: "shm_name") }
        let byteCount = try self.spanned(self.byteCount, "nbytes")
        guard !name.isEmpty || byteCount == 0 else {
            throw .notAccepted(field: "shm_name", given: "an empty name", accepted: "a name, unless nbytes is 0")
        }
        return .cpuSharedMemory(name: name, byteCount: byteCount)
    }

    private func process() throws(ProtocolError) -> MemoryDescriptor.Storage {
        guard let address = self.address else { throw .missing(field: "address") }
        let byteCount = try self.spanned(self.byteCount, "nbytes")
        guard !address.addingReportingOverflow(byteCount).overflow else {
            throw .notAccepted(field: "nbytes", given: "\(byteCount)", accepted: "bytes that end below 2^63")
        }
        return .process(address: address, byteCount: byteCount)
    }

    private func cuda() throws(ProtocolError) -> MemoryDescriptor.Storage {
        guard let handle = self.handle else { throw .missing(field: "handle") }
        _ = try self.spanned(handle.handle == nil ? 0 : handle.storageByteCount, "handle[2]")
        return .cuda(handle)
    }

    private func cudaRaw() throws(ProtocolError) -> MemoryDescriptor.Storage {
        guard let handle = self.ipcHandle else { throw .missing(field: "ipc_handle") }
        guard let offset = self.allocationOffset else { throw .missing(field: "alloc_offset") }
        let byteCount = try self.spanned(self.byteCount, "nbytes")
        return .cudaRaw(handle: handle, allocationOffset: offset, byteCount: byteCount)
    }

    private func cudaVMM() throws(ProtocolError) -> MemoryDescriptor.Storage {
        guard let exportID = self.exportID else { throw .missing(field: "export_id") }
        guard let kind = self.vmmKind else { throw .missing(field: "kind") }
        guard let fabric = self.fabricBlob else { throw .missing(field: "fabric_blob") }
        guard let size = self.allocationSize else { throw .missing(field: "alloc_size") }
        guard let offset = self.allocationOffset else { throw .missing(field: "alloc_offset") }
        let byteCount = try self.spanned(self.byteCount, "nbytes")
        guard (kind == .fabric) == (fabric != nil) else {
            let given = fabric == nil ? "nil" : "a handle"
            throw .notAccepted(field: "fabric_blob", given: given, accepted: "64 bytes exactly when kind is fabric")
        }
        let (end, overflowed) = offset.addingReportingOverflow(byteCount)
        guard !overflowed, end <= size else {
            let given = "\(byteCount) bytes at \(offset)"
            throw .notAccepted(field: "nbytes", given: given, accepted: "the alloc_size of \(size)")
        }
        return .cudaVMM(
            MemoryDescriptor.CUDAVirtualMemory(
                exportID: exportID,
                fabricHandle: fabric,
                allocationByteCount: size,
                allocationOffset: offset,
                byteCount: byteCount
            )
        )
    }

    /// A size that the tensor's elements do not exceed.
    private func spanned(_ byteCount: Int?, _ field: String) throws(ProtocolError) -> Int {
        guard let byteCount else { throw .missing(field: field) }
        guard let span = self.metadata?.tensor.byteSpan, span <= byteCount else {
            let span = self.metadata?.tensor.byteSpan.map { "\($0) bytes" } ?? "more than 64 bits"
            throw .notAccepted(
                field: "metadata",
                given: "a span of \(span)",
                accepted: "at most \(field), \(byteCount)"
            )
        }
        return byteCount
    }
}

/// The descriptor types that can be opened, as spelled on the wire.
enum DescriptorType: String, CaseIterable {
    case cpuSharedMemory = "cpu_shm"
    case cuda
    case cudaRaw = "cuda_raw"
    case cudaVMM = "cuda_vmm"
    /// Not of the original's protocol: for callers in this process.
    case process

    private var fields: Set<String> {
        switch self {
        case .cpuSharedMemory: ["shm_name", "nbytes"]
        case .cuda: ["handle"]
        case .process: ["address", "nbytes"]
        case .cudaRaw: ["ipc_handle", "alloc_offset", "nbytes"]
        case .cudaVMM: ["export_id", "kind", "fabric_blob", "alloc_size", "alloc_offset", "nbytes"]
        }
    }

    func has(field: String) -> Bool {
        ["type", "version", "metadata"].contains(field) || self.fields.contains(field)
    }
}

extension MemoryDescriptor {
    /// Decodes a complete extension value.
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        let type: Int8
        let data: MessagePackReader
        do { (type, data) = try reader.messages.readExtension() } catch { throw .malformed(field: "", error) }
        guard type == memoryDescriptorExtension else {
            throw .notAccepted(field: "extension type", given: "\(type)", accepted: "\(memoryDescriptorExtension)")
        }
        try self.init(data: PayloadReader(data))
    }

    /// Decodes an extension's data: one map whose unknown fields are refused, or a pickle of an older client.
    init(data: PayloadReader) throws(ProtocolError) {
        if data.isPickled {
            let wrapper = try PickledWrapper(data.messages.remainingBytes)
            self = try MemoryDescriptor(data: PayloadReader(frame: try wrapper.encodedMap()))
            return
        }
        var reader = data
        let type = try Self.type(of: data)
        var partial = PartialDescriptor()
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            guard type.has(field: name) else {
                throw .notAccepted(field: name, given: "an unknown field", accepted: "only those of \(type.rawValue)")
            }
            try partial.take(name, from: &reader)
        }
        try reader.end("")
        self = try partial.descriptor(of: type)
    }

    /// Finds the type first: fields may come in any order.
    private static func type(of data: PayloadReader) throws(ProtocolError) -> DescriptorType {
        var reader = data
        var type: DescriptorType?
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            if name == "type" { type = try reader.choice("type") } else { try reader.skip(name) }
        }
        guard let type else { throw .missing(field: "type") }
        return type
    }
}
