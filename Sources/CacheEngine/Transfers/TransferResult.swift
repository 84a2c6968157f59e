// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// The answer to a store or a retrieve.
package struct TransferResult: Sendable, Equatable {
    /// The device's completion event; empty when there is nothing left to wait for.
    package let event: [UInt8]
    package let isSuccessful: Bool

    package init(event: [UInt8], isSuccessful: Bool) {
        self.event = event
        self.isSuccessful = isSuccessful
    }

    /// Nothing was done. The empty event tells engines that no lease of theirs is left to release.
    package static let failed = TransferResult(event: [], isSuccessful: false)
    /// Nothing had to be done.
    package static let nothingToDo = TransferResult(event: [], isSuccessful: true)
}

/// A store or retrieve of a worker whose memory the server moves.
package struct TransferOrder: Sendable {
    package let key: CacheKey
    package let instance: InstanceID
    /// One list a kernel group; entry j covers the range's tokens `[j × tokensPerBlock, (j + 1) × tokensPerBlock)`.
    package let blockIDs: [[Int32]]
    /// The engine's event, opaque here.
    package let event: [UInt8]
    /// Tokens at the start of the range that a retrieve must not write.
    package let skippedTokens: Int
    /// Whether a retrieve is answered when its bytes are in place instead of when they are on their way.
    package let repliesWhenLoaded: Bool
    package let connection: ConnectionID

    package init(
        key: CacheKey, instance: InstanceID, blockIDs: [[Int32]], event: [UInt8], skippedTokens: Int = 0,
        repliesWhenLoaded: Bool = false, connection: ConnectionID
    ) {
        self.key = key
        self.instance = instance
        self.blockIDs = blockIDs
        self.event = event
        self.skippedTokens = skippedTokens
        self.repliesWhenLoaded = repliesWhenLoaded
        self.connection = connection
    }
}
