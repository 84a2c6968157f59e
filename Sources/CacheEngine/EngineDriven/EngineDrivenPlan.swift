// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// The checked, chunk-aligned form of an engine-driven operation.
struct EngineDrivenPlan: Sendable {
    let rank: Int
    /// Chunks of the prompt.
    let chunks: Range<Int>

    /// Nil when the key names no worker, or its range is not made of whole chunks within its tokens.
    init?(key: CacheKey, chunkSize: Int) {
        guard let rank = key.workerID, key.start >= 0, key.end >= key.start, key.end <= key.tokenIDs.count,
            key.start % chunkSize == 0, key.end % chunkSize == 0
        else { return nil }
        self.rank = rank
        self.chunks = key.start / chunkSize..<key.end / chunkSize
    }
}
