// lmcache · SPDX-License-Identifier: Apache-2.0

/// The pool in host memory and what lies behind it (`storage_manager` in `/config`).
package struct StorageSettings: Hashable, Sendable {
    /// Spellings of `--eviction-policy` that LMCache knows.
    package enum EvictionPolicy: String, CaseIterable, Sendable {
        case leastRecentlyUsed = "LRU"
        case adaptive = "ARC"
        case isolated = "IsolatedLRU"
        case none = "noop"
    }

    /// What happens to the copy in L1 once L2 has it.
    package enum StorePolicy: String, CaseIterable, Sendable {
        case `default`
        case skipL1 = "skip_l1"
    }

    /// What happens to the copy in L1 once its reader is done.
    package enum PrefetchPolicy: String, CaseIterable, Sendable {
        case `default`, retain
    }

    /// Raw values of `--l1-manager`.
    package var l1Managers: [String] = []
    /// Size of the pool in GiB (2^30 bytes).
    ///
    /// Required.
    package var poolGiB: Double?
    package var growsLazily = true
    package var initialGiB = 20
    /// Alignment of objects in the pool, in bytes.
    package var alignment = 4096
    package var usesHugePages = false
    package var devdaxPath: String?
    package var gdsPath: String?
    package var gdsUsesDirectIO = true
    package var gdsBackend = "auto"
    /// Upper bound on a write reservation, in seconds.
    package var writeTTLSeconds = 600
    /// Upper bound on a read lease, in seconds.
    package var readTTLSeconds = 300
    /// Required.
    package var evictionPolicy: EvictionPolicy?
    /// Used share of the pool at which background eviction starts.
    package var evictionTriggerWatermark = 0.8
    /// Share of the used bytes that one round frees.
    package var evictionRatio = 0.2
    package var storePolicy = StorePolicy.default
    package var prefetchPolicy = PrefetchPolicy.default
    package var prefetchMaximumInFlight = 8
    /// Longest time that a lookup waits for L2; what has arrived by then is served.
    package var prefetchTimeoutSeconds = 5.0
    package var notifierIntervalMilliseconds = 5
    /// Raw values of `--l2-adapter`.
    package var l2Adapters: [String] = []

    /// Spellings of `--gds-l1-backend`.
    package static let gdsBackends = ["auto", "cufile", "hipfile", "mufile", "phx", "ugds"]

    package init() {}

    /// Size of the pool in bytes, rounded down to the alignment; nil when missing or out of range.
    package var poolBytes: Int? {
        guard let poolGiB, poolGiB > 0, poolGiB <= SettingLimits.poolGiB.upperBound else { return nil }
        let bytes = Int(poolGiB * 1_073_741_824)
        guard SettingLimits.alignment.contains(self.alignment) else { return bytes }
        return bytes / self.alignment * self.alignment
    }
}
