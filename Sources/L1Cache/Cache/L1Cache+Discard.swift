// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

extension L1Cache {
    /// Takes visible objects out of the index, whoever leases or holds them: they turned out not to be what their key
    /// says. Their bytes stay until their users are done. Stale handles are passed over.
    package func discard(_ handles: [ObjectHandle]) {
        let evicted = self.state.withLock { $0.table.discard(handles) }
        if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
    }

    /// How room is made, for status pages.
    package var evictionSettings: (policy: EvictionPolicyKind, triggerWatermark: Double, evictionRatio: Double) {
        (self.configuration.policy, self.configuration.triggerWatermark, self.configuration.evictionRatio)
    }

    /// The arena's size in bytes.
    package var capacityBytes: Int { self.arena.capacityBytes }
}
