// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// A tensor wrapper as clients of LMCache up to 0.5.5 send it: a pickled object of theirs instead of a map.
///
/// It is turned into the map that later clients send, so that both are checked by the same code.
struct PickledWrapper {
    private let className: String
    private let fields: [String: PickledField]

    /// Reads a pickle without running anything of it.
    init(_ bytes: [UInt8]) throws(ProtocolError) {
        var reader = PickledObjectReader(bytes)
        let object = try reader.read()
        guard object.module.hasPrefix("lmcache.") else {
            throw .notAccepted(
                field: "type", given: "a pickled descriptor of class \(object.module).\(object.name)",
                accepted: "a wrapper of LMCache")
        }
        self.className = object.name
        self.fields = object.fields
    }

    /// The same descriptor as a map.
    func encodedMap() throws(ProtocolError) -> [UInt8] {
        var writer = MessagePackWriter()
        switch self.className {
        case "CpuShmTensorWrapper":
            writer.writeMapHead(5)
            self.begin("cpu_shm", &writer)
            try self.write("shm_name", of: "shm_name", &writer)
            try self.write("nbytes", of: "nbytes", &writer)
        case "CudaIPCWrapper":
            writer.writeMapHead(4)
            self.begin("cuda", &writer)
            try self.write("handle", of: "handle", &writer)
        case "RawCudaIPCWrapper":
            // Before 0.5.5 it did not say where in the allocation the tensor lies.
            writer.writeMapHead(6)
            self.begin("cuda_raw", &writer)
            try self.write("ipc_handle", of: "_ipc_handle_reserved", &writer)
            try self.write("alloc_offset", of: "_alloc_offset", &writer)
            try self.write("nbytes", of: "_nbytes", &writer)
        default:
            throw .notAccepted(
                field: "type", given: "a pickled descriptor of class \(self.className)",
                accepted: "CpuShmTensorWrapper, CudaIPCWrapper and RawCudaIPCWrapper")
        }
        try self.writeMetadata(&writer)
        return writer.bytes
    }

    private func begin(_ type: String, _ writer: inout MessagePackWriter) {
        writer.write("type")
        writer.write(type)
        writer.write("version")
        writer.write(1)
    }

    private func writeMetadata(_ writer: inout MessagePackWriter) throws(ProtocolError) {
        writer.write("metadata")
        writer.writeMapHead(5)
        guard case .global("torch", let elementType) = self.fields["dtype"] else { throw .missing(field: "dtype") }
        writer.write("dtype")
        writer.write(elementType)
        for name in ["shape", "stride", "storage_offset"] { try self.write(name, of: name, &writer) }
        guard case .text(let device) = self.fields["device_uuid"] else { throw .missing(field: "device_uuid") }
        writer.write("device_uuid")
        writer.write(device.hasPrefix("GPU-") ? String(device.dropFirst(4)) : device)
    }

    private func write(
        _ name: String, of field: String, _ writer: inout MessagePackWriter
    ) throws(ProtocolError) {
        guard let value = self.fields[field] else {
            throw .missing(field: "\(field) of a pickled \(self.className)")
        }
        writer.write(name)
        try value.encode(into: &writer, field: name)
    }
}

/// A value of a pickled object. Tuples hold no tuples.
enum PickledField: Equatable {
    case none
    case boolean(Bool)
    case integer(Int)
    case text(String)
    case bytes([UInt8])
    case tuple([PickledField])
    /// Something of a Python module, by its name alone.
    case global(module: String, name: String)

    fileprivate func encode(into writer: inout MessagePackWriter, field: String) throws(ProtocolError) {
        switch self {
        case .none: writer.writeNil()
        case .boolean(let value): writer.write(value)
        case .integer(let value): writer.write(value)
        case .text(let value): writer.write(value)
        case .bytes(let value): writer.write(binary: value)
        case .tuple(let values):
            writer.writeArrayHead(values.count)
            for value in values { try value.encode(into: &writer, field: field) }
        case .global(let module, let name):
            throw .notAccepted(field: field, given: "\(module).\(name)", accepted: "a plain value")
        }
    }
}
