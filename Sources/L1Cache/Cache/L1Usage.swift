// lmcache · SPDX-License-Identifier: Apache-2.0

/// Figures for gauges and status pages, taken under one lock.
package struct L1Usage: Sendable, Equatable {
    /// Resident and staged.
    package var objectCount = 0
    package var residentCount = 0
    package var stagedCount = 0
    /// Out of the index, bytes still kept by a hold or a quarantine.
    package var detachedCount = 0
    package var quarantinedCount = 0
    /// Objects with at least one lease.
    package var leasedCount = 0
    /// Objects with at least one I/O hold; a staged object's writer is not counted.
    package var heldCount = 0
    package var familyCount = 0
    /// Bytes that are not free, rounding included.
    package var usedBytes = 0
    /// Bytes of staged objects, rounding included.
    package var stagedBytes = 0
    /// Bytes that are backed by memory by now.
    package var committedBytes = 0
    package var capacityBytes = 0
    /// Calls that named an object which is gone.
    package var staleHandleCount = 0
    /// Errno of the last attempt to commit memory, while that is what limits the tier.
    package var growthErrno: Int32?
    /// The books balance.
    package var isHealthy = true

    package init() {}

    /// Used bytes as a fraction of what can be used.
    package var ratio: Double {
        let limit = self.growthErrno == nil ? self.capacityBytes : self.committedBytes
        return limit > 0 ? Double(self.usedBytes) / Double(limit) : 0
    }
}

/// What one look at the watermark did.
package struct EvictionRound: Sendable, Equatable {
    /// Usage before, as a fraction of the capacity.
    package var usage = 0.0
    package var isTriggered = false
    package var evictedObjects = 0
    package var evictedBytes = 0

    package init() {}
}

/// What an engine on the same host, or in this process, needs to open the arena.
package struct PoolOffer: Sendable, Equatable {
    /// Without a leading slash; `process:` and the decimal address for memory of this process.
    package let name: String
    /// The whole capacity.
    package let byteCount: Int
    /// Whether the name is an address, which is of no use, and none of the business of, other processes.
    package var isAddress = false
}
