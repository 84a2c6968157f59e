// lmcache · SPDX-License-Identifier: Apache-2.0

import L1Cache
import L2Storage

/// Lends parts of the first tier's memory to adapters.
struct ArenaBuffers: Sendable {
    let cache: L1Cache

    /// The bytes of an object on which the caller has placed a hold; the hold ends with the buffer.
    ///
    /// So a transfer that outlives its deadline, or its task, still touches memory that nobody else was given.
    func buffer(_ handle: ObjectHandle, _ place: ObjectPlace) -> L2Buffer {
        let cache = self.cache
        // The arena stays mapped until every adapter has let go of its buffers, and objects are never empty.
        return unsafe L2Buffer(
            UnsafeMutableRawBufferPointer(start: cache.arenaBase + place.offset, count: place.length)
        ) { cache.releaseHolds([handle]) }
    }
}
