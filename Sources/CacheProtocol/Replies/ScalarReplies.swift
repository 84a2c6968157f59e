// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// The result of operations that only succeed: a message without a value.
package struct EmptyReply: OperationReply {
    package init() {}

    package init(frame: [UInt8]?) throws(ProtocolError) {
        guard frame == nil else { throw .notAccepted(field: "reply", given: "a value", accepted: "none") }
    }

    package func encoded() -> [UInt8]? { nil }
}

/// `get_chunk_size` and `p2p_lookup_and_lock`.
package struct IntReply: OperationReply {
    package var value: Int64

    package init(_ value: Int64) { self.value = value }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.value = try decodeReply(frame) { (reader) throws(ProtocolError) in try reader.integer("reply") }
    }

    package func encoded() -> [UInt8]? { encodedFrame { $0.write(self.value) } }
}

/// `query_prefetch_status` and `wait_prefetch_status`: chunks found, or nil while there is no result.
package struct OptionalIntReply: OperationReply {
    package var value: Int64?

    package init(_ value: Int64?) { self.value = value }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.value = nil
        guard let frame else { return }
        self.value = try decodeReply(frame) { (reader) throws(ProtocolError) in
            try reader.isNil("reply") ? nil : reader.integer("reply", as: Int64.self)
        }
    }

    package func encoded() -> [UInt8]? {
        self.value.map { value in encodedFrame { $0.write(value) } }
    }
}

/// `ping`, `commit_store` and `commit_retrieve`.
package struct BoolReply: OperationReply {
    package var value: Bool

    package init(_ value: Bool) { self.value = value }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.value = try decodeReply(frame) { (reader) throws(ProtocolError) in try reader.boolean("reply") }
    }

    package func encoded() -> [UInt8]? { encodedFrame { $0.write(self.value) } }
}

/// `noop`.
package struct StringReply: OperationReply {
    package var value: String

    package init(_ value: String) { self.value = value }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.value = try decodeReply(frame) { (reader) throws(ProtocolError) in try reader.string("reply") }
    }

    package func encoded() -> [UInt8]? { encodedFrame { $0.write(self.value) } }
}

/// `get_experimental`: what the server can do beyond the basic operations.
package struct StringListReply: OperationReply {
    package var values: [String]

    package init(_ values: [String]) { self.values = values }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.values = try decodeReply(frame) { (reader) throws(ProtocolError) in
            try reader.list("reply", limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
                try element.string("")
            }
        }
    }

    package func encoded() -> [UInt8]? { encodedFrame { $0.write(self.values) } }
}

/// `cb_reorder_plan`.
package struct IntListReply: OperationReply {
    package var values: [Int]

    package init(_ values: [Int]) { self.values = values }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.values = try decodeReply(frame) { (reader) throws(ProtocolError) in try reader.integerList("reply") }
    }

    package func encoded() -> [UInt8]? { encodedFrame { $0.write(self.values) } }
}

/// `cb_protocol_handshake`: the server's version, and whether the client's is the same.
package struct ProtocolHandshakeReply: OperationReply {
    package var version: Int64
    package var isAccepted: Bool

    package init(version: Int64, isAccepted: Bool) {
        self.version = version
        self.isAccepted = isAccepted
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self = try decodeReply(frame) { (reader) throws(ProtocolError) in
            try reader.tuple("reply", count: 2)
            let version = try reader.integer("reply[0]", as: Int64.self)
            return ProtocolHandshakeReply(version: version, isAccepted: try reader.boolean("reply[1]"))
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame { writer in
            writer.writeArrayHead(2)
            writer.write(self.version)
            writer.write(self.isAccepted)
        }
    }
}

/// Decodes a value frame, all of which `read` must use.
func decodeReply<Value>(
    _ frame: [UInt8]?,
    _ read: (inout PayloadReader) throws(ProtocolError) -> Value
) throws(ProtocolError) -> Value {
    guard let frame else { throw .missing(field: "reply") }
    var reader = PayloadReader(frame: frame)
    let value = try read(&reader)
    try reader.end("reply")
    return value
}
