// lmcache · SPDX-License-Identifier: Apache-2.0

/// How much of the pool is page-locked for a GPU, at one instant.
package struct PinningReading: Sendable {
    package let pinnedBytes: Int
    /// The system refuses to lock more.
    package let isFailing: Bool
    /// Since the start.
    package let unpinnedBytesCopied: Int

    package init(pinnedBytes: Int, isFailing: Bool, unpinnedBytesCopied: Int) {
        self.pinnedBytes = pinnedBytes
        self.isFailing = isFailing
        self.unpinnedBytesCopied = unpinnedBytesCopied
    }
}

extension CacheMetrics {
    /// Says where the figures of page-locked memory come from; `read` runs at each scrape, once for each of them.
    package func observePinning(_ read: @escaping @Sendable () -> PinningReading) {
        self.registry.observeGauge(.pinnedBytes) { Double(read().pinnedBytes) }
        self.registry.observeGauge(.pinningFailed) { read().isFailing ? 1 : 0 }
        self.registry.observeCounter(MetricDescription.unpinnedBytesCopied.name) { Double(read().unpinnedBytesCopied) }
    }
}

extension MetricDescription {
    static let pinnedBytes = MetricDescription(
        "lmcache_mp_pinned_bytes",
        .gauge,
        unit: "bytes",
        "Bytes of the pool that are page-locked for GPUs; 0 while no GPU worker is registered."
    )
    static let pinningFailed = MetricDescription(
        "lmcache_mp_pinning_failed",
        .gauge,
        unit: "1 or 0",
        "1 while the system refuses to page-lock more of the pool."
    )
    static let unpinnedBytesCopied = MetricDescription(
        "lmcache_mp_unpinned_bytes_copied_total",
        .counter,
        unit: "bytes",
        "Bytes of GPU copies that went through a page-locked buffer because the pool was not locked there yet."
    )

    static let pinning: [MetricDescription] = [.pinnedBytes, .pinningFailed, .unpinnedBytesCopied]
}
