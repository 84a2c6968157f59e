// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

/// How the tiers behind the first one are used. Every value has been validated where it was read.
package struct SecondTierSettings: Sendable {
    /// What happens to the copy in the first tier once every tier has it.
    package enum StorePolicy: String, Sendable, CaseIterable {
        case keep = "default"
        /// It goes as soon as nobody leases it.
        case skipFirstTier = "skip_l1"
    }

    /// What happens to what was loaded once its last reader is done.
    package enum PrefetchPolicy: String, Sendable, CaseIterable {
        case drop = "default"
        case retain
    }

    package var storePolicy = StorePolicy.keep
    package var prefetchPolicy = PrefetchPolicy.drop
    package var stores = StoreController.Limits()
    package var prefetches = PrefetchController.Limits()
    package var breaker = L2Breaker.Settings()
    /// When a batch of stores counts as failed.
    package var storeDeadlineMilliseconds: UInt64 = 60_000
    /// How long the end waits for stores that are queued or under way.
    package var drainMilliseconds = 5000
    /// How long the end, or a removal, waits for an adapter's transfers.
    package var closeMilliseconds = 2000
    package var evictionIntervalMilliseconds: UInt64 = 1000
    /// Most objects that one eviction deletes.
    package var evictionLimit = 8192
    /// False: nothing happens but in ``SecondTier/pump()``, so that a test decides when.
    package var runsThreads = true

    package init() {}
}

/// What is known of an adapter beside the adapter itself.
package struct TierDescription: Sendable {
    /// The configuration's `type`.
    package let kind: String
    package let isShared: Bool
    /// What evicts from it; nil for nothing.
    package let eviction: L2AdapterConfiguration.Eviction?

    package init(kind: String, isShared: Bool = false, eviction: L2AdapterConfiguration.Eviction? = nil) {
        self.kind = kind
        self.isShared = isShared
        self.eviction = eviction
    }

    package init(_ configuration: L2AdapterConfiguration) {
        self.init(kind: configuration.type, isShared: configuration.isShared, eviction: configuration.eviction)
    }
}
