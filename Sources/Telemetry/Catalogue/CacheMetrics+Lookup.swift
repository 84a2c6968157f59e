// lmcache · SPDX-License-Identifier: Apache-2.0

extension CacheMetrics {
    /// Why a lookup ended before the cache was asked.
    package enum EarlyExit: String, Sendable, CaseIterable {
        case noGPUContext = "no_gpu_context"
        case emptyChunkHashes = "empty_chunk_hashes"
        case noGroupLayouts = "no_group_layout_descs"
    }

    /// A lookup whose result was taken.
    ///
    /// Tokens count whole chunks.
    ///
    /// - Parameters:
    ///   - hitTokens: What L1 could serve alone, and `hitObjects` likewise.
    ///   - loadedTokens: What L2 added, and `loadedObjects` likewise.
    package func lookupFinished(
        model: String, salt: String, requestedTokens: Int, hitTokens: Int, hitObjects: Int, loadedTokens: Int = 0,
        loadedObjects: Int = 0
    ) {
        let series = self.lookups.perModel[LookupSeries.Key(model: model, salt: salt)]
        series.lookups.increment()
        series.requestedTokens.increment(by: requestedTokens)
        series.hitTokens.increment(by: hitTokens + loadedTokens)
        series.hitL1Tokens.increment(by: hitTokens)
        series.hitL1Keys.increment(by: hitObjects)
        series.hitL2Tokens.increment(by: loadedTokens)
        series.hitL2Keys.increment(by: loadedObjects)
    }

    /// A lookup that ended before the cache was asked; it also counts as a finished one.
    package func lookupEndedEarly(model: String, salt: String, reason: EarlyExit, requestedTokens: Int = 0) {
        let key = LookupSeries.Key(model: model, salt: salt)
        self.lookupFinished(model: model, salt: salt, requestedTokens: requestedTokens, hitTokens: 0, hitObjects: 0)
        self.lookups.earlyExits[LookupSeries.EarlyExitKey(lookup: key, reason: reason)].increment()
    }

    /// Says where the number of lookups with an untaken result comes from.
    package func observeActivePrefetchJobs(_ read: @escaping @Sendable () -> Int) {
        self.registry.observeGauge(.activePrefetchJobs) { Double(read()) }
    }
}
