// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// `register_kv_cache_engine_driven_context`: the pool that the client may map.
package struct RegisterEngineDrivenReply: OperationReply {
    /// Without a leading slash; empty when chunks travel in messages.
    package var shmName: String
    /// Bytes; 0 when chunks travel in messages.
    package var poolSize: Int

    package init(shmName: String, poolSize: Int) {
        self.shmName = shmName
        self.poolSize = poolSize
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self = try decodeReply(frame) { (reader) throws(ProtocolError) in
            var name: String?
            var size: Int?
            for _ in 0..<(try reader.mapCount("reply")) {
                switch try reader.string("reply") {
                case "shm_name": name = try reader.name("shm_name")
                case "pool_size": size = try reader.integer("pool_size", in: 0...Int(Int64.max))
                default: try reader.skip("reply")
                }
            }
            guard let name else { throw .missing(field: "shm_name") }
            guard let size else { throw .missing(field: "pool_size") }
            return RegisterEngineDrivenReply(shmName: name, poolSize: size)
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame { writer in
            writer.writeMapHead(2)
            writer.write("shm_name")
            writer.write(self.shmName)
            writer.write("pool_size")
            writer.write(self.poolSize)
        }
    }
}

/// `prepare_store`: where to write which chunks.
package struct PrepareStoreReply: OperationReply {
    /// One slot for each chunk to write, or nil when the chunks travel in the commit.
    package var slots: [PoolSlot]?
    /// The chunk of the key's range that each slot is for; as many as slots.
    package var chunkIndices: [Int]

    /// Nothing to write: a shared-memory client skips the store, another ignores it.
    package static let nothing = PrepareStoreReply(slots: [], chunkIndices: [])

    package init(slots: [PoolSlot]?, chunkIndices: [Int] = []) {
        self.slots = slots
        self.chunkIndices = chunkIndices
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        let context = try decodeReply(frame) { (reader) throws(ProtocolError) in
            var context: SlotContext?
            for _ in 0..<(try reader.mapCount("reply")) {
                if try reader.string("reply") == "context" {
                    context = try SlotContext(from: &reader)
                } else {
                    try reader.skip("reply")
                }
            }
            guard let context else { throw .missing(field: "context") }
            return context
        }
        self.init(slots: context.slots, chunkIndices: context.slots == nil ? [] : context.chunkIndices)
        guard self.slots == nil || self.slots?.count == self.chunkIndices.count else {
            let given = "\(self.chunkIndices.count) elements"
            throw .notAccepted(field: "context.chunk_indices", given: given, accepted: "one for each slot")
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame { writer in
            writer.writeMapHead(1)
            writer.write("context")
            writer.writeMapHead(self.slots == nil ? 0 : 2)
            guard let slots = self.slots else { return }
            writer.write("slots")
            writer.write(slots)
            writer.write("chunk_indices")
            writer.write(self.chunkIndices)
        }
    }
}

/// `prepare_retrieve`: where to read the range's chunks.
package struct PrepareRetrieveReply: OperationReply {
    package var success: Bool
    /// The chunks, pickled, where no pool is shared; else empty.
    package var data: [UInt8]
    /// One slot for each chunk of the range in order, or nil.
    package var slots: [PoolSlot]?

    package static let miss = PrepareRetrieveReply(success: false, data: [], slots: nil)

    package init(success: Bool, data: [UInt8], slots: [PoolSlot]?) {
        self.success = success
        self.data = data
        self.slots = slots
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self = try decodeReply(frame) { (reader) throws(ProtocolError) in
            var success: Bool?
            var data: [UInt8]?
            var context: SlotContext?
            for _ in 0..<(try reader.mapCount("reply")) {
                switch try reader.string("reply") {
                case "success": success = try reader.boolean("success")
                case "data": data = try reader.binary("data")
                case "context": context = try SlotContext(from: &reader)
                default: try reader.skip("reply")
                }
            }
            guard let success else { throw .missing(field: "success") }
            guard let data else { throw .missing(field: "data") }
            guard let context else { throw .missing(field: "context") }
            return PrepareRetrieveReply(success: success, data: data, slots: context.slots)
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame(capacity: self.data.count + 64) { writer in
            writer.writeMapHead(3)
            writer.write("success")
            writer.write(self.success)
            writer.write("data")
            writer.write(binary: self.data)
            writer.write("context")
            writer.writeMapHead(self.slots == nil ? 0 : 1)
            guard let slots = self.slots else { return }
            writer.write("slots")
            writer.write(slots)
        }
    }
}
