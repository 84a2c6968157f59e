// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

extension LayoutHints {
    /// Decodes a hints map, of which every field may be absent; unknown fields are ignored.
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        self.init()
        let geometry = 0...ProtocolLimits.geometry
        for _ in 0..<(try reader.mapCount("layout_hints")) {
            let name = try reader.string("layout_hints")
            let field = "layout_hints." + name
            switch name {
            case "kv_layout": self.kvLayout = try reader.choice(field)
            case "num_kv_heads": self.kvHeadCount = try reader.integer(field, in: geometry)
            case "tokens_per_block": self.tokensPerBlock = try reader.integer(field, in: geometry)
            case "kv_list_layout": self.listLayout = try reader.choice(field)
            case "head_dim": self.headDimension = try reader.integer(field, in: geometry)
            default: try reader.skip(field)
            }
        }
    }

    /// The fields that are set, in declaration order.
    func encodedFrame() -> [UInt8] {
        let numbers = [self.kvHeadCount, self.tokensPerBlock, self.headDimension].count { $0 != nil }
        let count = numbers + (self.kvLayout == nil ? 0 : 1) + (self.listLayout == nil ? 0 : 1)
        return CacheProtocol.encodedFrame { writer in
            writer.writeMapHead(count)
            writer.write("kv_layout", ifPresent: self.kvLayout?.rawValue)
            writer.write("num_kv_heads", ifPresent: self.kvHeadCount)
            writer.write("tokens_per_block", ifPresent: self.tokensPerBlock)
            writer.write("kv_list_layout", ifPresent: self.listLayout?.rawValue)
            writer.write("head_dim", ifPresent: self.headDimension)
        }
    }
}

extension PayloadReader {
    /// A string that is one of an enumeration's raw values.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ field: String,
        as type: Choice.Type = Choice.self
    ) throws(ProtocolError) -> Choice where Choice.RawValue == String {
        let text = try self.string(field)
        guard let choice = Choice(rawValue: text) else {
            let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw .notAccepted(field: field, given: text, accepted: accepted)
        }
        return choice
    }
}

extension MessagePackWriter {
    fileprivate mutating func write(_ name: String, ifPresent value: String?) {
        guard let value else { return }
        self.write(name)
        self.write(value)
    }

    fileprivate mutating func write(_ name: String, ifPresent value: Int?) {
        guard let value else { return }
        self.write(name)
        self.write(value)
    }
}
