// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// `server_module_call`: what the plug-in answered.
package struct ServerModuleReply: OperationReply {
    package var success: Bool
    package var payload: [UInt8]
    package var error: String

    package init(success: Bool, payload: [UInt8], error: String) {
        self.success = success
        self.payload = payload
        self.error = error
    }

    /// The answer of a server that has no such plug-in.
    package static func unknown(method: String) -> ServerModuleReply {
        ServerModuleReply(success: false, payload: [], error: "unknown server module method: \(method)")
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self = try decodeReply(frame) { (reader) throws(ProtocolError) in
            var success: Bool?
            var payload: [UInt8]?
            var error: String?
            for _ in 0..<(try reader.mapCount("reply")) {
                switch try reader.string("reply") {
                case "success": success = try reader.boolean("success")
                case "payload": payload = try reader.binary("payload")
                case "error": error = try reader.string("error")
                default: try reader.skip("reply")
                }
            }
            guard let success else { throw .missing(field: "success") }
            guard let payload else { throw .missing(field: "payload") }
            guard let error else { throw .missing(field: "error") }
            return ServerModuleReply(success: success, payload: payload, error: error)
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame { writer in
            writer.writeMapHead(3)
            writer.write("success")
            writer.write(self.success)
            writer.write("payload")
            writer.write(binary: self.payload)
            writer.write("error")
            writer.write(self.error)
        }
    }
}
