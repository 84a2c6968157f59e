// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// `p2p_query_lookup_results`: one address for each key in order, or nil while the search goes on.
package struct PeerAddressesReply: OperationReply {
    package var addresses: [Address]?

    /// Bytes in the transfer-registered buffer.
    package struct Address: Sendable, Equatable {
        /// -1 for a key that is not there.
        package var offset: Int
        package var size: Int

        package init(offset: Int, size: Int) {
            self.offset = offset
            self.size = size
        }

        package static let missing = Address(offset: -1, size: 0)
    }

    package init(_ addresses: [Address]?) { self.addresses = addresses }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.addresses = nil
        guard let frame else { return }
        self.addresses = try decodeReply(frame) { (reader) throws(ProtocolError) in
            try reader.list("reply", limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
                try Address(from: &element)
            }
        }
    }

    package func encoded() -> [UInt8]? {
        guard let addresses = self.addresses else { return nil }
        return encodedFrame { writer in
            writer.writeArrayHead(addresses.count)
            for address in addresses {
                writer.writeMapHead(2)
                writer.write("offset")
                writer.write(address.offset)
                writer.write("size")
                writer.write(address.size)
            }
        }
    }
}

extension PeerAddressesReply.Address {
    fileprivate init(from reader: inout PayloadReader) throws(ProtocolError) {
        var offset: Int?
        var size: Int?
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "offset": offset = try reader.integer(name, in: -1...Int(Int64.max))
            case "size": size = try reader.integer(name, in: 0...Int(Int64.max))
            default: try reader.skip(name)
            }
        }
        guard let offset else { throw .missing(field: "offset") }
        guard let size else { throw .missing(field: "size") }
        self.init(offset: offset, size: size)
    }
}
