// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheService
import EngineKit
import Glibc
import KVModel
import L1Cache

extension ServerConfiguration {
    /// The first tier as the settings have it. They were validated.
    func firstTier(userID: UInt32) -> L1Configuration {
        var first = L1Configuration(
            capacityBytes: self.storage.poolBytes ?? 0, segmentName: self.segmentName(userID: userID),
            policy: self.storage.evictionPolicy == EvictionPolicy.none ? .noop : .lru,
            triggerWatermark: self.storage.evictionTriggerWatermark, evictionRatio: self.storage.evictionRatio)
        first.alignment = self.storage.alignment
        first.isSharedByName = !self.requests.isIsolatedIPC
        return first
    }

    /// The engine's behaviour as the settings have it.
    var engine: EngineConfiguration {
        EngineConfiguration(
            chunkSize: self.requests.chunkSize,
            hashAlgorithm: HashAlgorithm(rawValue: self.requests.hashAlgorithm) ?? .blake3,
            hashSeed: getenv("PYTHONHASHSEED").map { String(cString: $0) },
            nullBlockID: self.requests.nullBlockID >= 0 ? self.requests.nullBlockID : nil,
            separatesObjectGroups: self.requests.separatesObjectGroups,
            sessionTimeToLive: .seconds(self.requests.sessionTTLSeconds),
            writeTimeToLive: .seconds(self.storage.writeTTLSeconds),
            liveness: WorkerLiveness.Limits(
                reapAfter: self.requests.reapAfter,
                registrationGrace: .seconds(self.requests.workerRegistrationGraceSeconds)),
            kvEventCapacity: self.requests.eventLogSize, secondTier: self.secondTier)
    }

    private var secondTier: SecondTierSettings {
        var tiers = SecondTierSettings()
        tiers.storePolicy = self.storage.storePolicy == .skipL1 ? .skipFirstTier : .keep
        tiers.prefetchPolicy = self.storage.prefetchPolicy == .retain ? .retain : .drop
        tiers.prefetches.inFlight = self.storage.prefetchMaximumInFlight
        tiers.prefetches.deadlineMilliseconds = UInt64(max(1, self.storage.prefetchTimeoutSeconds * 1000))
        return tiers
    }

    /// Which transfer operations are answered.
    var transferMode: TransferMode {
        switch self.requests.supportedTransferMode {
        case .serverDriven: .lmcacheDriven
        case .engineDriven: .engineDriven
        case .auto: .auto
        }
    }

    private typealias EvictionPolicy = StorageSettings.EvictionPolicy
}
