// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

extension ObjectKey {
    /// Decodes an object key's map, wire protocol §2.1.
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var chunkHash: ChunkHash?
        var modelName: String?
        var rank: UInt32?
        var objectGroup = 0
        var cacheSalt = ""
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "chunk_hash": chunkHash = try reader.chunkHash(name)
            case "model_name": modelName = try reader.modelName(name)
            case "kv_rank": rank = try reader.integer(name)
            case "object_group_id": objectGroup = try reader.integer(name, in: 0...ProtocolLimits.geometry)
            case "cache_salt": cacheSalt = try reader.cacheSalt(name)
            default: try reader.skip(name)
            }
        }
        guard let chunkHash else { throw .missing(field: "chunk_hash") }
        guard let modelName else { throw .missing(field: "model_name") }
        guard let rank else { throw .missing(field: "kv_rank") }
        self.init(
            chunkHash: chunkHash,
            modelName: modelName,
            kvRank: KVRank(rawValue: rank),
            objectGroup: objectGroup,
            cacheSalt: cacheSalt
        )
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(5)
        writer.write("chunk_hash")
        writer.write(binary: self.chunkHash.bytes)
        writer.write("model_name")
        writer.write(self.modelName)
        writer.write("kv_rank")
        writer.write(self.kvRank.rawValue)
        writer.write("object_group_id")
        writer.write(self.objectGroup)
        writer.write("cache_salt")
        writer.write(self.cacheSalt)
    }
}

extension PayloadFrames {
    func objectKeys(_ index: Int) throws(ProtocolError) -> [ObjectKey] {
        try self.value(index) { (reader) throws(ProtocolError) in
            try reader.list("keys", limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
                try ObjectKey(from: &element)
            }
        }
    }
}

extension PayloadReader {
    mutating func chunkHash(_ field: String) throws(ProtocolError) -> ChunkHash {
        let bytes = try self.binary(field)
        guard let hash = ChunkHash(bytes: bytes) else {
            throw .notAccepted(field: field, given: "\(bytes.count) bytes", accepted: "\(ChunkHash.byteCount)")
        }
        return hash
    }

    /// `{shapes: [[int]], dtypes: [str]}` of equal lengths.
    mutating func memoryLayout(_ outer: String) throws(ProtocolError) -> [ObjectLayout.Part] {
        var shapes: [[Int]]?
        var types: [ElementType]?
        for _ in 0..<(try self.mapCount(outer)) {
            let name = try self.string(outer)
            switch name {
            case "shapes":
                shapes = try self.list(name, limit: ProtocolLimits.tensorCount) { (element) throws(ProtocolError) in
                    try element.integerList("", limit: ProtocolLimits.rank, in: 0...Int(Int64.max))
                }
            case "dtypes":
                types = try self.list(name, limit: ProtocolLimits.tensorCount) { (element) throws(ProtocolError) in
                    try element.elementType("")
                }
            default: try self.skip(name)
            }
        }
        guard let shapes else { throw .missing(field: outer + ".shapes") }
        guard let types else { throw .missing(field: outer + ".dtypes") }
        guard shapes.count == types.count else {
            throw .notAccepted(
                field: outer + ".dtypes",
                given: "\(types.count)",
                accepted: "\(shapes.count), one a shape"
            )
        }
        return zip(shapes, types).map { ObjectLayout.Part(shape: $0, elementType: $1) }
    }
}

extension MessagePackWriter {
    mutating func write(_ keys: [ObjectKey]) {
        self.writeArrayHead(keys.count)
        for key in keys { key.write(to: &self) }
    }

    mutating func write(_ parts: [ObjectLayout.Part]) {
        self.writeMapHead(2)
        self.write("shapes")
        self.writeArrayHead(parts.count)
        for part in parts { self.write(part.shape) }
        self.write("dtypes")
        self.write(parts.map(\.elementType.rawValue))
    }
}
