// lmcache · SPDX-License-Identifier: Apache-2.0

extension ServerConfiguration {
    /// One sentence for each setting that is given, accepted and without effect here; logged once at start.
    package var notices: [String] {
        let defaults = ServerConfiguration()
        var flags: [(String, Bool, String)] = []
        let requests = self.requests
        flags.append(
            (
                "--max-workers, --max-gpu-workers, --max-cpu-workers",
                requests.maxWorkers != 1 || requests.maxGPUWorkers != nil || requests.maxCPUWorkers != nil,
                "one thread answers requests, one thread for each device copies"
            )
        )
        flags.append(
            (
                "--no-l1-use-lazy", !self.storage.growsLazily, "the pool always grows ahead of its use"
            )
        )
        flags.append(
            (
                "--l1-init-size-gb", self.storage.initialGiB != defaults.storage.initialGiB,
                "the pool always grows ahead of its use"
            )
        )
        flags.append(
            (
                "--lookup-hash-log-dir", !self.observability.lookupHashLogDirectory.isEmpty,
                "lookup-hash files are not built"
            )
        )
        flags.append(
            (
                "--enable-gc-monitor", self.observability.isGCMonitorEnabled, "there is no garbage collector"
            )
        )
        flags.append(
            (
                "--prometheus-port", self.observability.prometheusPort != defaults.observability.prometheusPort,
                "metrics are served on the HTTP port"
            )
        )
        flags.append(
            (
                "--enable-segmented-prefix, --enable-dedup-content, --enable-blend-reorder",
                requests.isSegmentedPrefixEnabled || requests.isContentDeduplicationEnabled
                    || requests.isBlendReorderEnabled, "they concern CacheBlend only"
            )
        )
        return flags.filter(\.1).map { "No effect: \($0.0) (\($0.2))." }
    }
}
