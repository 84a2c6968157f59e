// lmcache · SPDX-License-Identifier: Apache-2.0

extension StorageSettings {
    func validate(sharedMemoryName: String) throws(ConfigurationError) {
        try self.validateUnbuilt()
        try self.validatePool()
        try self.validateEviction()
        try SettingCheck.range("--l1-write-ttl-seconds", self.writeTTLSeconds, SettingLimits.lifetimeSeconds)
        try SettingCheck.range("--l1-read-ttl-seconds", self.readTTLSeconds, SettingLimits.lifetimeSeconds)
        _ = try AdapterSettings.plans(self.l2Adapters)
        try SettingCheck.above("--l2-prefetch-timeout", self.prefetchTimeoutSeconds, SettingLimits.prefetchSeconds)
        try SettingCheck.range("--l2-prefetch-max-in-flight", self.prefetchMaximumInFlight, SettingLimits.count)
        try SettingCheck.range(
            "--periodic-notifier-interval-ms",
            self.notifierIntervalMilliseconds,
            SettingLimits.count
        )
    }

    private func validateUnbuilt() throws(ConfigurationError) {
        try SettingCheck.absent(
            "--l1-manager",
            self.l1Managers.first,
            accepted: "one pool by '--l1-size-gb'",
            reason: "several tagged pools are not built"
        )
        try SettingCheck.require(
            !self.usesHugePages,
            "--l1-use-hugepages",
            given: "true",
            accepted: "--no-l1-use-hugepages",
            reason: "huge pages are not built"
        )
        try SettingCheck.absent(
            "--l1-devdax-path",
            self.devdaxPath,
            accepted: "a pool in host memory by '--l1-size-gb'",
            reason: "device-DAX is not built"
        )
        try SettingCheck.absent(
            "--gds-l1-path",
            self.gdsPath,
            accepted: "a pool in host memory by '--l1-size-gb'",
            reason: "GPUDirect Storage is not built"
        )
    }

    private func validatePool() throws(ConfigurationError) {
        let range = SettingText.number(above: SettingLimits.poolGiB) + ", in GiB"
        guard let poolGiB else {
            throw ConfigurationError(
                setting: "--l1-size-gb",
                given: nil,
                accepted: range + ", for example '--l1-size-gb 20'"
            )
        }
        try SettingCheck.require(
            self.alignment.nonzeroBitCount == 1 && SettingLimits.alignment.contains(self.alignment),
            "--l1-align-bytes",
            given: self.alignment,
            accepted: "a power of two from 4096 to 2097152"
        )
        try SettingCheck.require((self.poolBytes ?? 0) > 0, "--l1-size-gb", given: poolGiB, accepted: range)
        try SettingCheck.range("--l1-init-size-gb", self.initialGiB, SettingLimits.countOrZero)
    }

    private func validateEviction() throws(ConfigurationError) {
        let accepted = SettingText.choice(["LRU", "noop"])
        switch self.evictionPolicy {
        case .leastRecentlyUsed, EvictionPolicy.none?: break
        case nil:
            throw ConfigurationError(
                setting: "--eviction-policy",
                given: nil,
                accepted: accepted + ", for example '--eviction-policy LRU'"
            )
        case .adaptive?:
            throw ConfigurationError(
                setting: "--eviction-policy",
                given: "ARC",
                accepted: accepted,
                reason: "ARC is not built for L1"
            )
        case .isolated?:
            throw ConfigurationError(
                setting: "--eviction-policy",
                given: "IsolatedLRU",
                accepted: accepted,
                reason: "IsolatedLRU is not built for L1"
            )
        }
        try SettingCheck.above(
            "--eviction-trigger-watermark",
            self.evictionTriggerWatermark,
            SettingLimits.ratio
        )
        try SettingCheck.above("--eviction-ratio", self.evictionRatio, SettingLimits.ratio)
    }
}
