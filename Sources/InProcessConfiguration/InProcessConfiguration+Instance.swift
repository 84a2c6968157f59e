// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheService
package import EngineKit
package import KVModel
import L1Cache

extension InProcessConfiguration {
    /// The pool and what lies behind it.
    package var storage: StorageSettings {
        var storage = StorageSettings()
        storage.poolGiB = self.number("max_local_cpu_size")
        storage.evictionPolicy = .leastRecentlyUsed
        storage.l2Adapters = self.adapters
        if self.usesOnlySecondTier { storage.storePolicy = .skipL1 }
        return storage
    }

    /// What a cache in this process is made from.
    ///
    /// - Parameter directConnection: The connection of callers in this process.
    package func instanceSettings(directConnection: ConnectionID) -> CacheInstance.Settings {
        let storage = self.storage
        var first = L1Configuration(
            capacityBytes: storage.poolBytes ?? 0, triggerWatermark: storage.evictionTriggerWatermark,
            evictionRatio: storage.evictionRatio)
        first.alignment = storage.alignment
        // Nobody else maps it: engines in other processes reach this cache by messages only. Workers in this one may
        // copy themselves.
        first.isSharedByName = false
        first.isOfferedByAddress = true
        let algorithm = self.text("pre_caching_hash_algorithm").flatMap(HashAlgorithm.init) ?? .blake3
        var engine = EngineConfiguration(
            chunkSize: self.integer("chunk_size") ?? 256, hashAlgorithm: algorithm,
            sessionTimeToLive: .seconds(self.integer("pin_timeout_sec") ?? 300),
            // A worker of this process lives as long as the cache does.
            liveness: WorkerLiveness.Limits(reapAfter: nil, registrationGrace: .seconds(3600)))
        engine.secondTier.storePolicy = self.usesOnlySecondTier ? .skipFirstTier : .keep
        engine.secondTier.prefetches.deadlineMilliseconds = UInt64(self.integer("blocking_timeout_secs") ?? 10) * 1000
        var settings = CacheInstance.Settings(first: first, engine: engine, mode: .auto, journal: nil)
        settings.directConnection = directConnection
        return settings
    }
}
