// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `subscribe_kv_events`: open a stream of stored and removed records.
package struct SubscribeKVEventsRequest: OperationRequest {
    package var instance: InstanceID
    package var modelName: String
    /// Sequence number that the client has seen; 0 for none.
    package var cursor: Int64
    /// 1…1024.
    package var batchLimit: Int

    package init(instance: InstanceID, modelName: String, cursor: Int64, batchLimit: Int) {
        self.instance = instance
        self.modelName = modelName
        self.cursor = cursor
        self.batchLimit = batchLimit
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 4)
        self.instance = try frames.instance(0)
        self.modelName = try frames.name(1, "model_name")
        self.cursor = Int64(try frames.lenientInteger(2, "cursor", in: 0...Int(Int64.max)))
        self.batchLimit = try frames.lenientInteger(3, "max_events", in: 1...ProtocolLimits.eventBatchSize)
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            encodedFrame { $0.write(self.instance) }, encodedFrame { $0.write(self.modelName) },
            encodedFrame { $0.write(self.cursor) }, encodedFrame { $0.write(self.batchLimit) },
        ]
    }
}
