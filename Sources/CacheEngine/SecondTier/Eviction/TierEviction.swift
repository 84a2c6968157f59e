// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage

/// Decides what a tier deletes to stay below its watermark. No clock, lock or I/O inside.
///
/// `LRU`: from the watermark on, the least recently used part of all objects. `IsolatedLRU`: each cache salt with a
/// quota stays below the watermark of that quota, by its own oldest objects; a salt without a quota is limited by the
/// tier's capacity only, as all of them are.
package struct TierEviction: Sendable, Equatable {
    /// What one look at the usage asks for.
    package struct Demand: Sendable, Equatable {
        /// Of which salt; nil for any.
        package var salt: String?
        package var byteCount: Int
    }

    package let policy: L2AdapterConfiguration.Eviction.Policy
    package let triggerWatermark: Double
    package let evictionRatio: Double

    package init(_ eviction: L2AdapterConfiguration.Eviction) {
        self.policy = eviction.policy
        self.triggerWatermark = eviction.triggerWatermark
        self.evictionRatio = eviction.evictionRatio
    }

    /// What has to go.
    ///
    /// - Parameter quotas: Bytes by salt.
    package func demands(_ usage: L2Usage, quotas: [String: Int]) -> [Demand] {
        guard self.policy != .none, usage.objectCount > 0 else { return [] }
        var demands: [Demand] = []
        if self.policy == .isolatedLeastRecentlyUsed {
            for (salt, used) in usage.bytesBySalt.sorted(by: { $0.key < $1.key }) {
                guard let quota = quotas[salt], used > 0 else { continue }
                let isOver = quota == 0 || Double(used) >= Double(quota) * self.triggerWatermark
                guard isOver else { continue }
                let part = quota == 0 ? used : self.part(of: used)
                demands.append(Demand(salt: salt, byteCount: max(part, used - quota)))
            }
        }
        if let fraction = usage.fraction, fraction >= self.triggerWatermark {
            demands.append(Demand(salt: nil, byteCount: self.part(of: usage.usedBytes)))
        }
        return demands
    }

    /// The oldest keys that meet the demands, each once.
    ///
    /// The tier does not tell the lengths of single objects: the average stands for them.
    ///
    /// - Parameter oldest: In order of use.
    package static func victims(_ demands: [Demand], oldest: [ObjectKey], usage: L2Usage, limit: Int) -> [ObjectKey] {
        let average = max(1, usage.usedBytes / max(1, usage.objectCount))
        var isChosen = Array(repeating: false, count: oldest.count)
        for demand in demands {
            var left = demand.byteCount
            for index in oldest.indices where left > 0 && (demand.salt == nil || oldest[index].cacheSalt == demand.salt)
            {
                isChosen[index] = true
                left -= average
            }
        }
        return Array(zip(oldest, isChosen).filter(\.1).map(\.0).prefix(limit))
    }

    private func part(of used: Int) -> Int { Int(Double(used) * self.evictionRatio) }
}
