// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `store` and `store_q`: copy the engine's blocks of the key's range into the cache.
package struct StoreRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID
    /// One list for each kernel group; entry j covers the group's j-th block of the range.
    package var blockIDs: [[Int32]]
    /// The handle that orders the engine's writes before the copy.
    package var event: [UInt8]

    package init(key: CacheKey, instance: InstanceID, blockIDs: [[Int32]], event: [UInt8]) {
        self.key = key
        self.instance = instance
        self.blockIDs = blockIDs
        self.event = event
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 4)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
        self.blockIDs = try frames.blockIDs(2)
        self.event = try frames.binary(3, "event")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            self.key.encodedFrame(), encodedFrame { $0.write(self.instance) }, encodedFrame { $0.write(self.blockIDs) },
            encodedFrame { $0.write(binary: self.event) },
        ]
    }
}

/// `retrieve`: copy cached chunks of the key's range into the engine's blocks.
package struct RetrieveRequest: OperationRequest {
    package var key: CacheKey
    package var instance: InstanceID
    /// One list for each kernel group; entry j covers the group's j-th block of the range.
    package var blockIDs: [[Int32]]
    /// The handle that orders the engine's last use of the blocks before the copy.
    package var event: [UInt8]
    /// Tokens from the start of the range that are not written; not negative.
    package var skipFirstTokens: Int

    package init(
        key: CacheKey,
        instance: InstanceID,
        blockIDs: [[Int32]],
        event: [UInt8],
        skipFirstTokens: Int
    ) {
        self.key = key
        self.instance = instance
        self.blockIDs = blockIDs
        self.event = event
        self.skipFirstTokens = skipFirstTokens
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 5)
        self.key = try frames.key()
        self.instance = try frames.instance(1)
        self.blockIDs = try frames.blockIDs(2)
        self.event = try frames.binary(3, "event")
        self.skipFirstTokens = try frames.lenientInteger(4, "skip_first_n_tokens", in: 0...Int(Int64.max))
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            self.key.encodedFrame(), encodedFrame { $0.write(self.instance) }, encodedFrame { $0.write(self.blockIDs) },
            encodedFrame { $0.write(binary: self.event) }, encodedFrame { $0.write(self.skipFirstTokens) },
        ]
    }
}
