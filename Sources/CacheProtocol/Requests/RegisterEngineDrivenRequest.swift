// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `register_kv_cache_engine_driven_context`: a worker that moves its bytes itself.
package struct RegisterEngineDrivenRequest: OperationRequest {
    package var registration: EngineDrivenRegistration

    package init(registration: EngineDrivenRegistration) { self.registration = registration }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 1)
        self.registration = try frames.value(0) { (reader) throws(ProtocolError) in
            try EngineDrivenRegistration(from: &reader)
        }
    }

    package func encodedPayloads() -> [[UInt8]] {
        let registration = self.registration
        return [
            encodedFrame { writer in
                writer.writeMapHead(9)
                writer.write("instance_id")
                writer.write(registration.instanceID)
                writer.write("model_name")
                writer.write(registration.modelName)
                writer.write("world_size")
                writer.write(registration.worldSize)
                writer.write("block_size")
                writer.write(registration.blockSize)
                writer.write("num_layers")
                writer.write(registration.layerCount)
                writer.write("hidden_dim_size")
                writer.write(registration.hiddenSize)
                writer.write("dtype_str")
                writer.write(registration.elementType.rawValue)
                writer.write("use_mla")
                writer.write(registration.isMLA)
                writer.write("num_physical_slots")
                writer.write(optional: registration.slotCount)
            }
        ]
    }
}

/// The fields of the registration map, wire protocol §5.1, as they are found.
private struct PartialRegistration {
    var instanceID: InstanceID?
    var modelName: String?
    var worldSize: Int?
    var blockSize: Int?
    var layerCount: Int?
    var hiddenSize: Int?
    var elementType: ElementType?
    var isMLA: Bool?
    var slotCount: Int?

    mutating func take(_ name: String, from reader: inout PayloadReader) throws(ProtocolError) {
        let sizes = 1...ProtocolLimits.geometry
        switch name {
        case "instance_id": self.instanceID = InstanceID(try reader.integer(name))
        case "model_name": self.modelName = try reader.modelName(name)
        case "world_size": self.worldSize = try reader.worldSize(name)
        case "block_size": self.blockSize = try reader.integer(name, in: sizes)
        case "num_layers": self.layerCount = try reader.integer(name, in: sizes)
        case "hidden_dim_size": self.hiddenSize = try reader.integer(name, in: sizes)
        case "dtype_str": self.elementType = try reader.elementType(name)
        case "use_mla": self.isMLA = try reader.boolean(name)
        case "num_physical_slots":
            self.slotCount = try reader.isNil(name) ? nil : reader.integer(name, in: sizes)
        default: try reader.skip(name)
        }
    }
}

extension EngineDrivenRegistration {
    fileprivate init(from reader: inout PayloadReader) throws(ProtocolError) {
        var partial = PartialRegistration()
        for _ in 0..<(try reader.mapCount("registration")) {
            let name = try reader.string("registration")
            try partial.take(name, from: &reader)
        }
        guard let instanceID = partial.instanceID else { throw .missing(field: "instance_id") }
        guard let modelName = partial.modelName else { throw .missing(field: "model_name") }
        guard let worldSize = partial.worldSize else { throw .missing(field: "world_size") }
        guard let blockSize = partial.blockSize else { throw .missing(field: "block_size") }
        guard let layerCount = partial.layerCount else { throw .missing(field: "num_layers") }
        guard let hiddenSize = partial.hiddenSize else { throw .missing(field: "hidden_dim_size") }
        guard let elementType = partial.elementType else { throw .missing(field: "dtype_str") }
        guard let isMLA = partial.isMLA else { throw .missing(field: "use_mla") }
        self.init(
            instanceID: instanceID,
            modelName: modelName,
            worldSize: worldSize,
            blockSize: blockSize,
            layerCount: layerCount,
            hiddenSize: hiddenSize,
            elementType: elementType,
            isMLA: isMLA,
            slotCount: partial.slotCount
        )
    }
}
