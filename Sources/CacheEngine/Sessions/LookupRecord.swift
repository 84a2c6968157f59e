// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// One lookup of one connection: its answer, given out once, and what it keeps readable.
///
/// ```
/// lookup ──▶ unanswered ──query, wait or free──▶ answered ──end of request, session or connection──▶ released
/// ```
package struct LookupRecord: Sendable {
    package let connection: ConnectionID
    /// What the metrics report once the answer is consumed.
    package let scope: LookupScope
    package var lease: ReadLease
    /// Hit length in chunks. Stays when the lease's shares are gone.
    package let hitChunks: Int
    package private(set) var isAnswered = false

    package init(connection: ConnectionID, scope: LookupScope, lease: ReadLease) {
        self.connection = connection
        self.scope = scope
        self.hitChunks = lease.chunkCount
        self.lease = lease
    }

    /// Gives the answer out. Nil when it was given before.
    package mutating func consumeAnswer() -> Int? {
        guard !self.isAnswered else { return nil }
        self.isAnswered = true
        return self.hitChunks
    }
}

/// What a lookup asked for.
package struct LookupScope: Sendable, Equatable {
    package let modelName: String
    package let cacheSalt: String
    /// Whole chunks asked for.
    package let requestedChunks: Int
    package let startedAt: Duration

    package init(modelName: String, cacheSalt: String, requestedChunks: Int, startedAt: Duration) {
        self.modelName = modelName
        self.cacheSalt = cacheSalt
        self.requestedChunks = requestedChunks
        self.startedAt = startedAt
    }
}
