// lmcache · SPDX-License-Identifier: Apache-2.0

/// A repeat limiter for each kind of warning and whom it concerns, with a bound on how many are remembered.
///
/// A value without a clock. Keys beyond the bound share one limiter.
package struct RepeatLimiterTable<Key: Hashable & Sendable>: Sendable {
    private let interval: Duration?
    private let maximumKeys: Int
    private var limiters: [Key: RepeatLimiter] = [:]
    private var shared: RepeatLimiter

    /// `interval` as in `RepeatLimiter`.
    package init(interval: Duration?, maximumKeys: Int = 1024) {
        self.interval = interval
        self.maximumKeys = maximumKeys
        self.shared = RepeatLimiter(interval: interval)
    }

    package mutating func admit(_ key: Key, now: Duration) -> RepeatLimiter.Verdict {
        if self.limiters[key] == nil, self.limiters.count >= self.maximumKeys { return self.shared.admit(now: now) }
        return self.limiters[key, default: RepeatLimiter(interval: self.interval)].admit(now: now)
    }
}
