// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

extension L1Cache {
    /// Reserves room for the chunks of a store, in order.
    ///
    /// Grants the longest part from the front that fits. While the arena can still grow nothing is evicted: a store that
    /// outruns the growth thread commits a little itself, never waits, and leaves out the rest. Once it is committed whole,
    /// or the system has no more memory, the least recently used families are evicted. Every granted object must end in
    /// exactly one of `commit`, `abort` and `quarantine`.
    package func reserve(_ write: WriteQuery) -> [WriteGrant] {
        var grants: [WriteGrant] = []
        grants.reserveCapacity(write.hashes.count)
        var evicted: [EvictedObject] = []
        let alignment = self.configuration.alignment
        var budget = self.configuration.growthBytesOfAStore / alignment * alignment
        var isOutrun = false
        while true {
            let needed = self.state.withLock { state in
                let mayGrow = state.mayGrow && write.byteCount <= state.capacityBytes
                return state.table.reserve(
                    write, mayGrow: mayGrow && !isOutrun, mayEvict: !mayGrow, grants: &grants, evicted: &evicted)
            }
            guard let needed else { break }
            if write.purpose == .prefetch {
                isOutrun = !self.grow(atLeast: needed)
                continue
            }
            isOutrun = !self.growForStore(needed: needed, budget: &budget)
            if isOutrun { self.state.withLock { $0.wasOutrun(step: self.configuration.growthStepBytes) } }
        }
        self.wakeGrowthIfShort()
        let failed = grants.count { $0 == .outOfMemory }
        guard !evicted.isEmpty || failed > 0, let listener = self.listener else { return grants }
        if !evicted.isEmpty { listener.objectsEvicted(evicted) }
        if failed > 0 {
            listener.allocationFailed(count: failed, namespace: write.namespace, purpose: write.purpose)
        }
        return grants
    }

    /// Makes written objects visible.
    ///
    /// Objects that `clear(force:)` removed meanwhile just end.
    package func commit(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        let committed = self.state.withLock { $0.table.commit(handles) }
        if !committed.isEmpty { self.listener?.objectsCommitted(committed) }
    }

    /// Ends reservations without making anything visible.
    ///
    /// Bytes are free at once unless held.
    package func abort(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        self.state.withLock { $0.table.abort(handles) }
    }

    /// Ends reservations whose writer may still write: keys are free for others, bytes stay until `releaseQuarantine`.
    package func quarantine(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        self.state.withLock { $0.table.quarantine(handles) }
    }

    /// The writer is known to be done: the bytes of quarantined objects go.
    package func releaseQuarantine(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        self.state.withLock { $0.table.releaseQuarantine(handles) }
    }
}
