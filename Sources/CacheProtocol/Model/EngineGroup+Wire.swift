// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

extension EngineGroup {
    /// Decodes one `EngineGroupInfo` map, wire protocol §2.1.
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var identifier: Int?
        var group = EngineGroup(engineGroupID: 0)
        let geometry = 0...ProtocolLimits.geometry
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "engine_group_id": identifier = try reader.integer(name, in: geometry)
            case "layer_indices":
                group.layerIndices = try reader.integerList(name, limit: ProtocolLimits.tensorCount, in: geometry)
            case "tokens_per_block": group.tokensPerBlock = try reader.integer(name, in: geometry)
            case "sw_size_tokens":
                group.slidingWindowTokens = try reader.integer(name, in: -1...ProtocolLimits.geometry)
            case "extra_object_group_tag": group.extraObjectGroupTag = try reader.integer(name, in: geometry)
            case "recurrent_state": group.isRecurrentState = try reader.boolean(name)
            default: try reader.skip(name)
            }
        }
        guard let identifier else { throw .missing(field: "engine_group_id") }
        group.engineGroupID = identifier
        self = group
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(6)
        writer.write("engine_group_id")
        writer.write(self.engineGroupID)
        writer.write("layer_indices")
        writer.write(self.layerIndices)
        writer.write("tokens_per_block")
        writer.write(self.tokensPerBlock)
        writer.write("sw_size_tokens")
        writer.write(self.slidingWindowTokens)
        writer.write("extra_object_group_tag")
        writer.write(self.extraObjectGroupTag)
        writer.write("recurrent_state")
        writer.write(self.isRecurrentState)
    }
}

extension PayloadReader {
    /// An array whose elements `read` decodes.
    ///
    /// Errors name the element.
    mutating func list<Element>(
        _ field: String,
        limit: Int,
        _ read: (inout PayloadReader) throws(ProtocolError) -> Element
    ) throws(ProtocolError) -> [Element] {
        let count = try self.arrayCount(field, limit: limit)
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 1024))
        for index in 0..<count {
            do { elements.append(try read(&self)) } catch { throw error.within("\(field)[\(index)].") }
        }
        return elements
    }
}
