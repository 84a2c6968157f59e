// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Limits for each salt as they were given, in memory only; the tiers get them in bytes.
///
/// Any thread.
final class QuotaTable: Sendable {
    /// Salts beyond this many are refused, because they come from requests.
    static let maximumSalts = 10_000

    private let limits = Mutex<[String: Double]>([:])

    /// Sets a limit in GiB.
    ///
    /// Returns false when the table is full.
    func set(_ gibibytes: Double, for salt: String) -> Bool {
        self.limits.withLock { limits in
            guard limits[salt] != nil || limits.count < Self.maximumSalts else { return false }
            limits[salt] = gibibytes
            return true
        }
    }

    func limit(of salt: String) -> Double? { self.limits.withLock { $0[salt] } }

    /// Returns whether there was a limit.
    func remove(_ salt: String) -> Bool { self.limits.withLock { $0.removeValue(forKey: salt) != nil } }

    /// Every salt with its limit, ordered by salt.
    func all() -> [(salt: String, gibibytes: Double)] {
        self.limits.withLock { $0.map { (salt: $0.key, gibibytes: $0.value) } }.sorted { $0.salt < $1.salt }
    }
}
