// lmcache · SPDX-License-Identifier: Apache-2.0

extension ObjectTable {
    /// Removes the family that was used least recently, unless the store that is being answered uses it.
    mutating func evictOldestUnstamped(_ evicted: inout [EvictedObject]) -> Bool {
        let family = self.families.oldest
        guard self.policy == .lru, family != Self.none, self.families[family].stamp != self.stamp else { return false }
        self.evict(family, reason: .demand, into: &evicted)
        return true
    }

    /// Removes up to `count` whole families, the oldest first.
    ///
    /// Returns how many went.
    mutating func evictOldest(_ count: Int, into evicted: inout [EvictedObject]) -> Int {
        guard self.policy == .lru else { return 0 }
        var removed = 0
        while removed < count, self.families.oldest != Self.none {
            self.evict(self.families.oldest, reason: .watermark, into: &evicted)
            removed += 1
        }
        return removed
    }

    /// Removes every object that nothing pins; with `force` also the others.
    ///
    /// Held and half-written bytes stay until their holders end.
    mutating func clear(force: Bool) -> [EvictedObject] {
        self.clear(self.families.indices[...], force: force)
    }

    /// The same for some families; those that are gone since they were listed are passed over.
    mutating func clear(_ families: ArraySlice<FamilyTable.Index>, force: Bool) -> [EvictedObject] {
        var evicted: [EvictedObject] = []
        for family in families where self.families[family].objectCount > 0 {
            for index in self.members(of: family) where force || !self.objects[Int(index)].isPinned {
                self.record(index, reason: .cleared, into: &evicted)
                self.detach(index, keepsWriter: true)
            }
        }
        return evicted
    }

    private mutating func evict(
        _ family: FamilyTable.Index,
        reason: EvictionReason,
        into evicted: inout [EvictedObject]
    ) {
        var remaining = self.families[family].objectCount
        while remaining > 0 {
            let index = self.families[family].firstObject
            self.record(index, reason: reason, into: &evicted)
            self.detach(index)
            remaining -= 1
        }
    }

    private func members(of family: FamilyTable.Index) -> [Index] {
        var result: [Index] = []
        var index = self.families[family].firstObject
        while index != Self.none {
            result.append(index)
            index = self.objects[Int(index)].next
        }
        return result
    }

    func record(_ index: Index, reason: EvictionReason, into evicted: inout [EvictedObject]) {
        let object = self.objects[Int(index)]
        let key = self.families[object.family].key
        evicted.append(
            EvictedObject(
                namespace: key.namespace,
                hash: key.hash,
                rank: Int(object.rank),
                group: Int(object.group),
                worldSize: Int(key.worldSize),
                byteCount: object.byteCount,
                reason: reason
            )
        )
    }
}
