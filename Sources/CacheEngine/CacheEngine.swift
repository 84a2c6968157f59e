// lmcache · SPDX-License-Identifier: Apache-2.0

package import DeviceTransfer
import KVModel
package import L1Cache
package import Logging
import Synchronization
package import Telemetry

/// The cache as its clients see it: workers, sessions, lookups, stores and retrieves.
///
/// Knows neither sockets nor MessagePack nor a concrete device. Every method may be called from any thread and none waits
/// for a copy: what takes time answers through a closure. Lock order: engine → cache → event recorder; nothing of another
/// module runs under the engine's lock except value types.
package final class CacheEngine: Sendable {
    package let configuration: EngineConfiguration
    package let cache: L1Cache
    package let recorder: EventRecorder
    package let metrics: CacheMetrics
    /// Without tiers until they are added.
    package let secondTier: SecondTier
    let environment: EngineEnvironment
    let devices: [any TransferDevice]
    let inlineCopier: InlineChunkCopier
    let hasher: ChunkHasher
    let gate = TransferGate()
    let memo: Mutex<ChunkHashMemo>
    let logger: Logger
    let state: Mutex<EngineState>
    let warnings = Mutex(RepeatLimiterTable<RequestWarning>(interval: .seconds(60)))

    /// Parts that the engine drives. `recorder` must already be the cache's listener.
    package struct Parts: Sendable {
        package var cache: L1Cache
        package var recorder: EventRecorder
        package var devices: [any TransferDevice]
        package var inlineCopier: InlineChunkCopier
        package var metrics: CacheMetrics
        package var logger: Logger

        package init(
            cache: L1Cache, recorder: EventRecorder, devices: [any TransferDevice], inlineCopier: InlineChunkCopier,
            metrics: CacheMetrics, logger: Logger
        ) {
            self.cache = cache
            self.recorder = recorder
            self.devices = devices
            self.inlineCopier = inlineCopier
            self.metrics = metrics
            self.logger = logger
        }
    }

    package init(configuration: EngineConfiguration, environment: EngineEnvironment, parts: Parts) {
        self.configuration = configuration
        self.environment = environment
        self.cache = parts.cache
        self.recorder = parts.recorder
        self.devices = parts.devices
        self.inlineCopier = parts.inlineCopier
        self.metrics = parts.metrics
        self.logger = parts.logger
        self.hasher = ChunkHasher(
            algorithm: configuration.hashAlgorithm, chunkSize: configuration.chunkSize, seed: configuration.hashSeed)
        self.memo = Mutex(ChunkHashMemo(hasher: self.hasher))
        self.state = Mutex(EngineState(configuration: configuration))
        let usesSeed = configuration.hashAlgorithm != .blake3
        self.secondTier = SecondTier(
            settings: configuration.secondTier, cache: parts.cache, clock: environment.tierClock,
            hash: (configuration.hashAlgorithm.rawValue, usesSeed ? configuration.hashSeed ?? "" : ""),
            metrics: parts.metrics, logger: parts.logger)
        self.secondTier.attach(finished: { [weak self] in self?.prefetchFinished($0) })
    }

    /// Time since an arbitrary fixed moment.
    package var now: Duration { self.environment.now() }

    /// The request's chain brought up to the key's tokens, from its session's where there is one. Not stored anywhere.
    ///
    /// Hashing happens outside the engine's lock: 32,768 new tokens take about 0.3 ms. Who finds the memo in use hashes
    /// without it.
    func chain(for key: CacheKey) -> PrefixChain {
        var chain = self.state.withLock { $0.sessions[key.requestID]?.chain } ?? PrefixChain()
        let size = self.configuration.chunkSize
        let isNamed: Void? = self.memo.withLockIfAvailable { memo in
            chain.update(to: key.tokenIDs, chunkSize: size, memo: &memo)
        }
        if isNamed == nil { chain.update(to: key.tokenIDs, hasher: self.hasher) }
        return chain
    }
}
