// lmcache · SPDX-License-Identifier: Apache-2.0

package import CacheEngine
import L2Storage

extension CacheInstance {
    /// Opens the media and adds them behind the pool, in order. On a failure those before it stay.
    package func startTiers(
        _ plans: [AdapterPlan], surroundings: AdapterSurroundings
    ) throws(AdapterStartError) {
        for (index, plan) in plans.enumerated() {
            do {
                _ = try self.addTier(plan, surroundings: surroundings)
            } catch {
                throw AdapterStartError("--l2-adapter #\(index + 1) (\(plan.configuration.type)): \(error)")
            }
        }
    }

    /// Opens one more medium.
    package func addTier(
        _ plan: AdapterPlan, surroundings: AdapterSurroundings
    ) throws(AdapterStartError) -> TierID {
        let adapter = try plan.start(surroundings)
        return self.engine.secondTier.add(adapter, description: TierDescription(plan.configuration))
    }
}
