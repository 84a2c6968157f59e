// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a client's operation is about: a token range of one prompt of one model.
///
/// Source: wire protocol §2.1, `IPCCacheServerKey`.
package struct CacheKey: Sendable, Equatable {
    package var modelName: String
    /// KV shards for each chunk. Decoding admits 1…255.
    package var worldSize: Int
    /// The shard that asks, or nil for a scheduler, which speaks for all.
    package var workerID: Int?
    /// The prompt's tokens from position 0, also when `start` is later.
    package var tokenIDs: [UInt32]
    /// First token concerned.
    package var start: Int
    /// One past the last token concerned.
    package var end: Int
    package var requestID: String
    /// Keeps tenants apart; empty for none.
    package var cacheSalt: String
    /// The client's own settings: one MessagePack map, kept as its bytes because the server never reads it.
    package var requestConfigurations: [UInt8]?
    /// Workers that will each retrieve the same objects; 0 where the operation takes no leases.
    package var readerCount: Int

    package init(
        modelName: String, worldSize: Int, workerID: Int?, tokenIDs: [UInt32], start: Int, end: Int,
        requestID: String, cacheSalt: String = "", requestConfigurations: [UInt8]? = nil, readerCount: Int = 0
    ) {
        self.modelName = modelName
        self.worldSize = worldSize
        self.workerID = workerID
        self.tokenIDs = tokenIDs
        self.start = start
        self.end = end
        self.requestID = requestID
        self.cacheSalt = cacheSalt
        self.requestConfigurations = requestConfigurations
        self.readerCount = readerCount
    }

    /// Model and salt of this key, with the layout of whoever registered the model.
    package func namespace(layoutSignature: String) -> Namespace {
        Namespace(modelName: self.modelName, cacheSalt: self.cacheSalt, layoutSignature: layoutSignature)
    }
}
