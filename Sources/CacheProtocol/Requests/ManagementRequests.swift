// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `get_chunk_size`, `get_experimental` and `noop`: no payloads.
package struct EmptyRequest: OperationRequest {
    package init() {}

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        _ = try PayloadFrames(payloads, count: 0)
    }

    package func encodedPayloads() -> [[UInt8]] { [] }
}

/// `ping`: a heartbeat of a worker, or a probe of anyone.
package struct PingRequest: OperationRequest {
    /// The worker that lives, or nil for a probe.
    package var instance: InstanceID?

    package init(instance: InstanceID?) { self.instance = instance }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 1)
        self.instance = try frames.value(0) { (reader) throws(ProtocolError) in
            let field = "instance_id"
            return try reader.isNil(field) ? nil : InstanceID(try reader.integer(field))
        }
    }

    package func encodedPayloads() -> [[UInt8]] {
        [encodedFrame { if let instance = self.instance { $0.write(instance) } else { $0.writeNil() } }]
    }
}

/// `clear`: empties the cache.
package struct ClearRequest: OperationRequest {
    /// Also forget objects in use.
    package var force: Bool

    package init(force: Bool) { self.force = force }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.force = try PayloadFrames(payloads, count: 1).lenientBoolean(0, "force")
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.force) }] }
}

/// `server_module_call`: a call to a plug-in of the server.
package struct ServerModuleCallRequest: OperationRequest {
    package var method: String
    package var payload: [UInt8]

    package init(method: String, payload: [UInt8]) {
        self.method = method
        self.payload = payload
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 1)
        self = try frames.value(0) { (reader) throws(ProtocolError) in
            var method: String?
            var payload: [UInt8]?
            for _ in 0..<(try reader.mapCount("call")) {
                switch try reader.string("call") {
                case "method": method = try reader.name("method")
                case "payload": payload = try reader.binary("payload")
                default: try reader.skip("call")
                }
            }
            guard let method else { throw .missing(field: "method") }
            guard let payload else { throw .missing(field: "payload") }
            return ServerModuleCallRequest(method: method, payload: payload)
        }
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            encodedFrame { writer in
                writer.writeMapHead(2)
                writer.write("method")
                writer.write(self.method)
                writer.write("payload")
                writer.write(binary: self.payload)
            }
        ]
    }
}
