// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import Telemetry

/// What the HTTP front asks about the second tiers, and about objects by their full names.
///
/// Called from several threads; nothing blocks its caller's thread for longer than a lock.
package protocol AdminTiers: AnyObject, Sendable {
    /// The tiers in the order in which lookups ask them; empty without any.
    func all() -> [AdminTier]

    /// One page of a tier's keys.
    func list(_ tier: Int, _ page: AdminPageRequest) async -> Result<AdminObjectPage, AdminError>

    /// Deletes objects from a tier.
    func delete(_ keys: [ObjectKey], tier: Int) async -> AdminDeletion

    /// Deletes objects from the pool; those in use stay unless `force`.
    func deleteFromPool(_ keys: [ObjectKey], force: Bool) -> (deleted: Int, inUse: Int)

    /// Starts to bring a prompt's objects from the tiers into the pool.
    func warm(_ prompt: AdminPrompt) -> Result<AdminWarming, AdminError>

    /// How a warming goes; its result is told once.
    func warming(_ id: String) -> AdminWarmingState

    /// Limits the bytes of a salt; nil takes the limit away.
    func setQuota(_ bytes: Int?, salt: String)

    /// Bytes of each salt on all tiers.
    func usageBySalt() -> [String: Int]

    /// Opens one more tier from the object that `--l2-adapter` takes. Returns its number.
    func add(_ adapter: JSONValue) async -> Result<Int, AdminError>

    /// Takes a tier away after what runs has ended. False when a transfer still ran at the time limit.
    func remove(_ tier: Int) async -> Bool
}

/// One tier as the routes show it.
package struct AdminTier: Sendable, Equatable {
    /// Never used again for another tier.
    package let id: Int
    /// The configuration's `type`.
    package let type: String
    package let isShared: Bool
    /// Figures, for the reconfiguration's status.
    package let details: JSONValue

    package init(id: Int, type: String, isShared: Bool, details: JSONValue) {
        self.id = id
        self.type = type
        self.isShared = isShared
        self.details = details
    }
}

/// Which keys of a tier to list.
package struct AdminPageRequest: Sendable, Equatable {
    package let modelName: String?
    package let size: Int
    /// What the page before said; nil for the first.
    package let token: String?

    package init(modelName: String?, size: Int, token: String?) {
        self.modelName = modelName
        self.size = size
        self.token = token
    }
}

/// One page of keys.
package struct AdminObjectPage: Sendable, Equatable {
    package let keys: [ObjectKey]
    /// Where the next page begins; nil after the last.
    package let next: String?

    package init(keys: [ObjectKey], next: String?) {
        self.keys = keys
        self.next = next
    }
}

/// What became of a deletion.
package struct AdminDeletion: Sendable, Equatable {
    /// Objects that were there and are gone.
    package let deleted: Int
    /// Why the rest could not be tried; nil when everything was.
    package let error: String?

    package init(deleted: Int, error: String? = nil) {
        self.deleted = deleted
        self.error = error
    }
}

/// A prompt whose objects are to be brought into the pool.
package struct AdminPrompt: Sendable, Equatable {
    package let modelName: String
    package let worldSize: Int
    package let tokens: [UInt32]
    package let cacheSalt: String

    package init(modelName: String, worldSize: Int, tokens: [UInt32], cacheSalt: String) {
        self.modelName = modelName
        self.worldSize = worldSize
        self.tokens = tokens
        self.cacheSalt = cacheSalt
    }
}

/// An accepted warming.
package struct AdminWarming: Sendable, Equatable {
    /// To ask for the result with; nil when the prompt is shorter than a chunk.
    package let id: String?
    package let chunks: Int

    package init(id: String?, chunks: Int) {
        self.id = id
        self.chunks = chunks
    }
}

/// How a warming goes.
package enum AdminWarmingState: Sendable, Equatable {
    case unknown
    case pending
    /// Objects that the pool has now, of all that were asked for.
    case completed(found: Int, total: Int)
}
