// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `register_kv_cache` and `register_q_cache`: a worker hands over its tensors.
package struct RegisterRequest: OperationRequest {
    package var registration: KVCacheRegistration

    package init(registration: KVCacheRegistration) { self.registration = registration }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 7)
        self.registration = KVCacheRegistration(
            instanceID: try frames.instance(0),
            modelName: try frames.modelName(2),
            worldSize: try frames.lenientInteger(3, "world_size", in: 1...KVRank.worldSizeLimit),
            engine: try frames.value(4) { (reader) throws(ProtocolError) in try reader.choice("engine_type") },
            tensors: try frames.descriptors(1),
            hints: try frames.value(5) { (reader) throws(ProtocolError) in try LayoutHints(from: &reader) },
            groups: try frames.value(6) { (reader) throws(ProtocolError) in
                try reader.list("groups", limit: ProtocolLimits.tensorCount) { (element) throws(ProtocolError) in
                    try EngineGroup(from: &element)
                }
            }
        )
    }

    package func encodedPayloads() -> [[UInt8]] {
        let registration = self.registration
        return [
            encodedFrame { $0.write(registration.instanceID) }, encodedFrame { $0.write(registration.tensors) },
            encodedFrame { $0.write(registration.modelName) }, encodedFrame { $0.write(registration.worldSize) },
            encodedFrame { $0.write(registration.engine.rawValue) }, registration.hints.encodedFrame(),
            encodedFrame { writer in
                writer.writeArrayHead(registration.groups.count)
                for group in registration.groups { group.write(to: &writer) }
            },
        ]
    }
}

/// `unregister_kv_cache` and its relatives: a worker takes its registration back.
package struct UnregisterRequest: OperationRequest {
    package var instance: InstanceID

    package init(instance: InstanceID) { self.instance = instance }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.instance = try PayloadFrames(payloads, count: 1).instance(0)
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.instance) }] }
}

extension PayloadFrames {
    func descriptors(_ index: Int) throws(ProtocolError) -> [MemoryDescriptor] {
        try self.value(index) { (reader) throws(ProtocolError) in
            try reader.list("kv_caches", limit: ProtocolLimits.tensorCount) { (element) throws(ProtocolError) in
                try MemoryDescriptor(from: &element)
            }
        }
    }
}

extension MessagePackWriter {
    mutating func write(_ descriptors: [MemoryDescriptor]) {
        self.writeArrayHead(descriptors.count)
        for descriptor in descriptors { descriptor.write(to: &self) }
    }
}
