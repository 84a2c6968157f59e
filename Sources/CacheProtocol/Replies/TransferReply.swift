// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// `store` and `retrieve`: the handle that orders the server's copy before the engine's next use, and whether it works.
package struct TransferReply: OperationReply {
    /// Empty when no device work was submitted: the result is final then.
    package var event: [UInt8]
    package var ok: Bool

    /// What every refused transfer gets.
    ///
    /// An empty handle tells SGLang that no locks are left.
    package static let failed = TransferReply(event: [], ok: false)

    package init(event: [UInt8], ok: Bool) {
        self.event = event
        self.ok = ok
    }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self = try decodeReply(frame) { (reader) throws(ProtocolError) in
            try reader.tuple("reply", count: 2)
            let event = try reader.binary("reply[0]")
            return TransferReply(event: event, ok: try reader.boolean("reply[1]"))
        }
    }

    package func encoded() -> [UInt8]? {
        encodedFrame { writer in
            writer.writeArrayHead(2)
            writer.write(binary: self.event)
            writer.write(self.ok)
        }
    }
}
