// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// `lookup`: find the longest cached prefix and keep it readable.
package struct LookupRequest: OperationRequest {
    package var key: CacheKey

    package init(key: CacheKey) { self.key = key }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.key = try PayloadFrames(payloads, count: 2).keyAndReaderCount()
    }

    package func encodedPayloads() -> [[UInt8]] { self.key.encodedWithReaderCount() }
}

/// `free_lookup_locks`: give back what a lookup kept, for the chunks in the key's range.
package struct FreeLookupLocksRequest: OperationRequest {
    package var key: CacheKey

    package init(key: CacheKey) { self.key = key }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.key = try PayloadFrames(payloads, count: 2).keyAndReaderCount()
    }

    package func encodedPayloads() -> [[UInt8]] { self.key.encodedWithReaderCount() }
}

/// `query_prefetch_status`: a lookup's result, if there is one yet.
package struct QueryPrefetchRequest: OperationRequest {
    package var requestID: String

    package init(requestID: String) { self.requestID = requestID }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.requestID = try PayloadFrames(payloads, count: 1).name(0, "request_id")
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.requestID) }] }
}

/// `wait_prefetch_status`: a lookup's result, waiting for it.
package struct WaitPrefetchRequest: OperationRequest {
    package var requestID: String
    /// 0…``ProtocolLimits/waitSeconds``.
    package var timeoutSeconds: Double

    package init(requestID: String, timeoutSeconds: Double) {
        self.requestID = requestID
        self.timeoutSeconds = timeoutSeconds
    }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        let frames = try PayloadFrames(payloads, count: 2)
        self.requestID = try frames.name(0, "request_id")
        let seconds = try frames.value(1) { (reader) throws(ProtocolError) in try reader.double("timeout") }
        guard !seconds.isNaN else {
            throw .notAccepted(field: "payload 1 timeout", given: "not a number", accepted: "seconds")
        }
        self.timeoutSeconds = min(max(0, seconds), ProtocolLimits.waitSeconds)
    }

    package func encodedPayloads() -> [[UInt8]] {
        [encodedFrame { $0.write(self.requestID) }, encodedFrame { $0.write(self.timeoutSeconds) }]
    }
}

/// `end_session`: a request is over.
package struct EndSessionRequest: OperationRequest {
    package var requestID: String

    package init(requestID: String) { self.requestID = requestID }

    package init(payloads: [[UInt8]]) throws(ProtocolError) {
        self.requestID = try PayloadFrames(payloads, count: 1).name(0, "request_id")
    }

    package func encodedPayloads() -> [[UInt8]] { [encodedFrame { $0.write(self.requestID) }] }
}

extension PayloadFrames {
    /// A key, and a number that clients set to the key's reader count.
    ///
    /// Before 0.5.5 keys had no reader count, and the number was the engine's tensor-parallel size. Where that is more
    /// than the key's world, workers share one shard and each of them reads it.
    fileprivate func keyAndReaderCount() throws(ProtocolError) -> CacheKey {
        let number = try self.lenientInteger(1, "num_kv_readers")
        var key = try self.key()
        if key.readerCount == 0 {
            let size = Int(min(max(1, number), Int64(ProtocolLimits.readerCount)))
            key.readerCount = size > key.worldSize ? size : 1
        }
        return key
    }
}

extension CacheKey {
    fileprivate func encodedWithReaderCount() -> [[UInt8]] {
        [self.encodedFrame(), CacheProtocol.encodedFrame { $0.write(self.readerCount) }]
    }
}
