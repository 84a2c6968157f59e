// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `cb_protocol_handshake`: the blend plug-in's version check.
package struct ProtocolHandshakeRequest: OperationRequest {
    package var version: Int64

    package init(version: Int64) { self.version = version }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.version = try PayloadFrames(payloads, count: 1).lenientInteger(0, "version")
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.version) }] }
}

/// `cb_unified_lookup`: find cached pieces anywhere in a prompt.
package struct UnifiedLookupRequest: OperationRequest {
    package var key: CacheKey
    package var readerCount: Int64

    package init(key: CacheKey, readerCount: Int64) {
        self.key = key
        self.readerCount = readerCount
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.key = try frames.key()
        self.readerCount = try frames.lenientInteger(1, "num_kv_readers")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [self.key.encodedFrame(), encodedFrame { $0.write(self.readerCount) }]
    }
}

/// `cb_reorder_plan`: in which order to compute a prompt's pieces.
package struct ReorderPlanRequest: OperationRequest {
    package var key: CacheKey
    package var keptPrefix: Int64
    package var budgetMilliseconds: Int64

    package init(key: CacheKey, keptPrefix: Int64, budgetMilliseconds: Int64) {
        self.key = key
        self.keptPrefix = keptPrefix
        self.budgetMilliseconds = budgetMilliseconds
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 3)
        self.key = try frames.key()
        self.keptPrefix = try frames.lenientInteger(1, "keep_prefix")
        self.budgetMilliseconds = try frames.lenientInteger(2, "budget_ms")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            self.key.encodedFrame(), encodedFrame { $0.write(self.keptPrefix) },
            encodedFrame { $0.write(self.budgetMilliseconds) },
        ]
    }
}

/// `cb_retrieve_pre_computed`: copy matched pieces into the engine's blocks.
package struct RetrievePreComputedRequest: OperationRequest {
    package var key: CacheKey
    package var matches: [BlendMatch]
    package var blockIDs: [[Int32]]
    package var instance: InstanceID
    package var event: [UInt8]

    package init(
        key: CacheKey,
        matches: [BlendMatch],
        blockIDs: [[Int32]],
        instance: InstanceID,
        event: [UInt8]
    ) {
        self.key = key
        self.matches = matches
        self.blockIDs = blockIDs
        self.instance = instance
        self.event = event
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 5)
        self.key = try frames.key()
        self.matches = try frames.value(1) { (reader) throws(ProtocolError) in try reader.blendMatches("matches") }
        self.blockIDs = try frames.blockIDs(2)
        self.instance = try frames.instance(3)
        self.event = try frames.binary(4, "event")
    }

    package func encodedPayloads() -> [[UInt8]] {
        [
            self.key.encodedFrame(), encodedFrame { $0.write(self.matches) }, encodedFrame { $0.write(self.blockIDs) },
            encodedFrame { $0.write(self.instance) }, encodedFrame { $0.write(binary: self.event) },
        ]
    }
}
