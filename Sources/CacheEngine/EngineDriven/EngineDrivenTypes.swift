// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache

/// An operation of a worker that moves the bytes itself.
package struct EngineDrivenOrder: Sendable {
    package let key: CacheKey
    package let instance: InstanceID
    package let connection: ConnectionID

    package init(key: CacheKey, instance: InstanceID, connection: ConnectionID) {
        self.key = key
        self.instance = instance
        self.connection = connection
    }
}

/// Slots of the shared pool that a worker may write or read until it commits.
package struct PoolSlots: Sendable {
    package let places: [ObjectPlace]
    /// Positions in the key's range, one a place.
    package let chunkIndices: [Int]
    /// Shape and element type of each slot.
    package let layout: ObjectLayout

    package init(places: [ObjectPlace], chunkIndices: [Int], layout: ObjectLayout) {
        self.places = places
        self.chunkIndices = chunkIndices
        self.layout = layout
    }
}

/// The answer to a prepared store.
package enum PreparedStore: Sendable {
    /// Write these, then commit.
    case slots(PoolSlots)
    /// Nothing to write: all cached, being written, out of memory, or the worker is not registered.
    case nothing
    /// There is no shared pool: send the bytes with the commit.
    case inMessage
}

/// The answer to a prepared retrieve.
package enum PreparedRetrieve: Sendable {
    /// Read these, then commit.
    case slots(PoolSlots)
    /// The chunks themselves; nothing is held any more.
    case inMessage([UInt8])
    case miss
}
