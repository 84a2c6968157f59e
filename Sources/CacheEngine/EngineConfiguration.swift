// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage

/// What the engine's behaviour depends on. Every value has been validated where it was read.
package struct EngineConfiguration: Sendable {
    /// Tokens a chunk.
    package var chunkSize: Int
    package var hashAlgorithm: HashAlgorithm
    /// Seed text of `sha256_cbor`; nil for the field's default.
    package var hashSeed: String?
    /// The engine block that means "no data here"; nil where every block is real.
    package var nullBlockID: Int?
    /// One object group for each sliding-window size instead of one for all layers.
    package var separatesObjectGroups: Bool
    /// A session that nobody used for this long ends, and its leases with it.
    package var sessionTimeToLive: Duration
    /// A prepared store that is not committed for this long frees its keys; its bytes stay with its worker.
    package var writeTimeToLive: Duration
    package var liveness: WorkerLiveness.Limits
    /// KV event records kept for subscribers; 0 turns the channel off.
    package var kvEventCapacity: Int
    /// Most sessions at once; past it the one unused for longest ends.
    package var sessionLimit: Int
    package var secondTier: SecondTierSettings

    package init(
        chunkSize: Int = 256, hashAlgorithm: HashAlgorithm = .blake3, hashSeed: String? = nil, nullBlockID: Int? = 0,
        separatesObjectGroups: Bool = false, sessionTimeToLive: Duration = .seconds(600),
        writeTimeToLive: Duration = .seconds(600), liveness: WorkerLiveness.Limits, kvEventCapacity: Int = 32_768,
        sessionLimit: Int = 16_384, secondTier: SecondTierSettings = SecondTierSettings()
    ) {
        self.chunkSize = chunkSize
        self.hashAlgorithm = hashAlgorithm
        self.hashSeed = hashSeed
        self.nullBlockID = nullBlockID
        self.separatesObjectGroups = separatesObjectGroups
        self.sessionTimeToLive = sessionTimeToLive
        self.writeTimeToLive = writeTimeToLive
        self.liveness = liveness
        self.kvEventCapacity = kvEventCapacity
        self.sessionLimit = sessionLimit
        self.secondTier = secondTier
    }
}

/// What the engine needs from outside: time and the system, so that a test can own both.
package struct EngineEnvironment: Sendable {
    /// Time since an arbitrary fixed moment; never goes back.
    package var now: @Sendable () -> Duration
    /// Whether a process of this number runs.
    package var isProcessAlive: @Sendable (Int32) -> Bool
    /// Nanoseconds since 1970, read once at start: names this run to KV event subscribers.
    package var incarnation: Int64
    /// What deadlines of the second tier refer to; the clock of its adapters.
    package var tierClock: any L2Clock

    package init(
        now: @escaping @Sendable () -> Duration, isProcessAlive: @escaping @Sendable (Int32) -> Bool,
        incarnation: Int64, tierClock: any L2Clock = MonotonicL2Clock()
    ) {
        self.tierClock = tierClock
        self.now = now
        self.isProcessAlive = isProcessAlive
        self.incarnation = incarnation
    }
}
