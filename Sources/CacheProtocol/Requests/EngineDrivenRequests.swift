// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `prepare_store`: ask for slots to write the key's chunks into.
package struct PrepareStoreRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID

    package init(key: CacheKey, instance: InstanceID) {
        self.key = key
        self.instance = instance
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
    }

    package func encodedPayloads() -> [[UInt8]] {
        [self.key.encodedFrame(), encodedFrame { $0.write(self.instance) }]
    }
}

/// `commit_store`: the slots are written, or here are the bytes.
package struct CommitStoreRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID
    /// Empty when the slots of a preceding prepare are written; else the chunks, pickled.
    package var data: [UInt8]

    package init(key: CacheKey, instance: InstanceID, data: [UInt8]) {
        self.key = key
        self.instance = instance
        self.data = data
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 3)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
        self.data = try frames.binary(2, "data")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            self.key.encodedFrame(), encodedFrame { $0.write(self.instance) },
            encodedFrame(capacity: self.data.count + 5) { $0.write(binary: self.data) },
        ]
    }
}

/// `prepare_retrieve`: ask for slots to read the key's chunks from.
package struct PrepareRetrieveRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID

    package init(key: CacheKey, instance: InstanceID) {
        self.key = key
        self.instance = instance
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
    }

    package func encodedPayloads() -> [[UInt8]] {
        [self.key.encodedFrame(), encodedFrame { $0.write(self.instance) }]
    }
}

/// `commit_retrieve`: the slots are read, or were not wanted.
package struct CommitRetrieveRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID

    package init(key: CacheKey, instance: InstanceID) {
        self.key = key
        self.instance = instance
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
    }

    package func encodedPayloads() -> [[UInt8]] {
        [self.key.encodedFrame(), encodedFrame { $0.write(self.instance) }]
    }
}
