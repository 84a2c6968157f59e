// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One thing that happened to cached chunks of one model.
///
/// Source: wire protocol §2.1, `KVEventRecord`. The medium is always `CPU`.
package struct KVEventRecord: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case stored
        case removed
    }

    /// Counts from 1 within one incarnation.
    package let sequence: Int64
    package let kind: Kind
    package let modelName: String
    /// One hash for `stored`, any number for `removed`.
    package let hashes: [ChunkHash]
    /// The chunk before a stored one; nil for a prompt's first chunk and for `removed`.
    package let parent: ChunkHash?
    /// The stored chunk's tokens; empty for `removed`.
    package let tokens: ArraySlice<UInt32>

    package init(
        sequence: Int64,
        kind: Kind,
        modelName: String,
        hashes: [ChunkHash],
        parent: ChunkHash?,
        tokens: ArraySlice<UInt32>
    ) {
        self.sequence = sequence
        self.kind = kind
        self.modelName = modelName
        self.hashes = hashes
        self.parent = parent
        self.tokens = tokens
    }
}

/// What one message of an event stream says.
///
/// Source: wire protocol §2.11, `KVEventBatch`.
package struct KVEvents: Sendable, Equatable {
    /// False when the server keeps no event log.
    package var isEnabled: Bool
    /// Wall clock in nanoseconds at server start; another value means that all earlier announcements are void.
    package var incarnation: Int64
    /// Sequence number to resume after.
    package var nextCursor: Int64
    /// The reader must forget what was announced before this batch.
    package var isLost: Bool
    package var records: [KVEventRecord]

    package init(
        isEnabled: Bool,
        incarnation: Int64,
        nextCursor: Int64,
        isLost: Bool,
        records: [KVEventRecord]
    ) {
        self.isEnabled = isEnabled
        self.incarnation = incarnation
        self.nextCursor = nextCursor
        self.isLost = isLost
        self.records = records
    }

    /// The answer to a subscription that cannot be served: no log, or a request that breaks the limits.
    package static func disabled(incarnation: Int64) -> Self {
        Self(isEnabled: false, incarnation: incarnation, nextCursor: 0, isLost: false, records: [])
    }

    /// True when a stream has a reason to send this batch unasked.
    package var saysSomething: Bool { self.isLost || !self.records.isEmpty }
}
