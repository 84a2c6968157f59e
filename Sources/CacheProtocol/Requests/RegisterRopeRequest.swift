// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `cb_register_rope`: the blend plug-in's tables for moving keys to other positions.
package struct RegisterRopeRequest: OperationRequest {
    package var instance: InstanceID
    package var tensors: [MemoryDescriptor]
    package var headSize: Int64
    package var isNeox: Bool
    package var layerTables: [Int]
    package var layerRanges: [[Int]]
    package var rotaryDimensions: [Int]
    package var quantization: String

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 8)
        self.instance = try frames.instance(0)
        self.tensors = try frames.descriptors(1)
        self.headSize = try frames.lenientInteger(2, "head_size")
        self.isNeox = try frames.lenientBoolean(3, "is_neox")
        self.layerTables = try frames.value(4) { (reader) throws(ProtocolError) in
            try reader.integerList("payload")
        }
        self.layerRanges = try frames.value(5) { (reader) throws(ProtocolError) in
            try reader.list("payload", limit: ProtocolLimits.tensorCount) { (element) throws(ProtocolError) in
                try element.integerList("payload")
            }
        }
        self.rotaryDimensions = try frames.value(6) { (reader) throws(ProtocolError) in
            try reader.integerList("payload")
        }
        self.quantization = try frames.name(7, "kv_quant")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            encodedFrame { $0.write(self.instance) }, encodedFrame { $0.write(self.tensors) },
            encodedFrame { $0.write(self.headSize) }, encodedFrame { $0.write(self.isNeox) },
            encodedFrame { $0.write(self.layerTables) },
            encodedFrame { writer in
                writer.writeArrayHead(self.layerRanges.count)
                for range in self.layerRanges { writer.write(range) }
            },
            encodedFrame { $0.write(self.rotaryDimensions) }, encodedFrame { $0.write(self.quantization) },
        ]
    }
}
