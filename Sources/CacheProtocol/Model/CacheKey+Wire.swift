// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// The fields of `IPCCacheServerKey`, wire protocol §2.1, as they are found.
private struct PartialKey {
    var modelName: String?
    var worldSize: Int?
    var workerID: Int??
    var tokenIDs: [UInt32]?
    var start: Int?
    var end: Int?
    var requestID: String?
    var cacheSalt = ""
    var requestConfigurations: [UInt8]?
    var readerCount = 0

    mutating func take(_ name: String, from reader: inout PayloadReader) throws(ProtocolError) {
        switch name {
        case "model_name": self.modelName = try reader.modelName("key.model_name")
        case "world_size": self.worldSize = try reader.worldSize("key.world_size")
        case "worker_id":
            let field = "key.worker_id"
            self.workerID = .some(try reader.isNil(field) ? nil : try reader.integer(field, as: Int.self))
        case "token_ids": self.tokenIDs = try reader.unsignedList("key.token_ids")
        case "start": self.start = try reader.integer("key.start", in: 0...Int(Int64.max))
        case "end": self.end = try reader.integer("key.end", in: 0...Int(Int64.max))
        case "request_id": self.requestID = try reader.name("key.request_id")
        case "cache_salt": self.cacheSalt = try reader.cacheSalt("key.cache_salt")
        case "request_configs": self.requestConfigurations = try reader.optionalRawMap("key.request_configs")
        case "num_kv_readers":
            self.readerCount = try reader.integer("key.num_kv_readers", in: 0...ProtocolLimits.readerCount)
        default: try reader.skip("key." + name)
        }
    }
}

extension CacheKey {
    /// Decodes a key map.
    ///
    /// Unknown fields are ignored, a repeated field's last value counts.
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var partial = PartialKey()
        for _ in 0..<(try reader.mapCount("key")) {
            let name = try reader.string("key")
            try partial.take(name, from: &reader)
        }
        guard let modelName = partial.modelName else { throw .missing(field: "key.model_name") }
        guard let worldSize = partial.worldSize else { throw .missing(field: "key.world_size") }
        guard let workerID = partial.workerID else { throw .missing(field: "key.worker_id") }
        guard let tokenIDs = partial.tokenIDs else { throw .missing(field: "key.token_ids") }
        guard let start = partial.start else { throw .missing(field: "key.start") }
        guard let end = partial.end else { throw .missing(field: "key.end") }
        guard let requestID = partial.requestID else { throw .missing(field: "key.request_id") }
        if let workerID { _ = try PayloadReader.checked(workerID, "key.worker_id", in: 0...worldSize - 1) }
        self.init(
            modelName: modelName,
            worldSize: worldSize,
            workerID: workerID,
            tokenIDs: tokenIDs,
            start: start,
            end: end,
            requestID: requestID,
            cacheSalt: partial.cacheSalt,
            requestConfigurations: partial.requestConfigurations,
            readerCount: partial.readerCount
        )
    }

    /// The key as one frame, every field in declaration order.
    func encodedFrame() -> [UInt8] {
        CacheProtocol.encodedFrame(capacity: 256 + 5 * self.tokenIDs.count) { writer in
            writer.writeMapHead(10)
            writer.write("model_name")
            writer.write(self.modelName)
            writer.write("world_size")
            writer.write(self.worldSize)
            writer.write("worker_id")
            writer.write(optional: self.workerID)
            writer.write("token_ids")
            writer.write(self.tokenIDs)
            writer.write("start")
            writer.write(self.start)
            writer.write("end")
            writer.write(self.end)
            writer.write("request_id")
            writer.write(self.requestID)
            writer.write("cache_salt")
            writer.write(self.cacheSalt)
            writer.write("request_configs")
            if let raw = self.requestConfigurations { writer.write(raw: raw) } else { writer.writeNil() }
            writer.write("num_kv_readers")
            writer.write(self.readerCount)
        }
    }
}

extension PayloadReader {
    mutating func worldSize(_ field: String) throws(ProtocolError) -> Int {
        try self.integer(field, in: 1...KVRank.worldSizeLimit)
    }

    /// A map as its bytes, unread; or nil.
    mutating func optionalRawMap(_ field: String) throws(ProtocolError) -> [UInt8]? {
        if try self.isNil(field) { return nil }
        do {
            var ahead = self.messages
            _ = try ahead.readMapCount()
            return try self.messages.readRawValue()
        } catch {
            throw .malformed(field: field, error)
        }
    }
}
