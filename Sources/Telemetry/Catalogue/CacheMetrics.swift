// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the cache counts, as typed calls; docs/metrics.md lists the series behind them.
///
/// Any thread. A call takes one short lock at most and makes no text for labels that were seen before.
package final class CacheMetrics: Sendable {
    /// Every metric that the server exposes on its own account, in the order of the exposition.
    package static let catalogue: [MetricDescription] =
        MetricDescription.l1 + MetricDescription.l2 + MetricDescription.lookup + MetricDescription.transfer
        + MetricDescription.pinning
        + MetricDescription.service

    let registry: MetricsRegistry
    let l1: L1Series
    let l2: L2Series
    let lookups: LookupSeriesTables
    let transfers: TransferSeriesTables
    let service: ServiceSeries

    /// Announces the catalogue in `registry` and registers at zero what has no label that comes from a peer.
    package init(registry: MetricsRegistry) {
        registry.describe(Self.catalogue)
        self.registry = registry
        self.l1 = L1Series(registry: registry)
        self.l2 = L2Series(registry: registry)
        self.lookups = LookupSeriesTables(registry: registry)
        self.transfers = TransferSeriesTables(registry: registry)
        self.service = ServiceSeries(registry: registry)
    }
}
