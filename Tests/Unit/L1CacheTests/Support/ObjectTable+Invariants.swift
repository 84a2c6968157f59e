// lmcache · SPDX-License-Identifier: Apache-2.0

@testable import L1Cache

extension ObjectTable {
    /// What does not hold, or nil when the whole table is in order.
    var brokenInvariant: String? {
        var seen = L1Usage()
        var ranges: [Range<Int>] = []
        for object in self.objects where object.phase != .vacant {
            seen.objectCount += object.phase == .detached ? 0 : 1
            seen.residentCount += object.phase == .resident ? 1 : 0
            seen.stagedCount += object.phase == .staged ? 1 : 0
            seen.detachedCount += object.phase == .detached ? 1 : 0
            seen.quarantinedCount += object.isQuarantined ? 1 : 0
            seen.leasedCount += object.leases > 0 ? 1 : 0
            seen.heldCount += object.holds > 0 ? 1 : 0
            seen.stagedBytes += object.phase == .staged ? self.space.size(of: object.block) : 0
            let offset = self.space.offset(of: object.block)
            ranges.append(offset..<offset + self.space.size(of: object.block))
            if (object.family == Self.none) != (object.phase == .detached) { return "family link and phase" }
            if object.phase == .detached, !object.isWriting, !object.isQuarantined, object.holds == 0 {
                return "a detached object that nothing keeps"
            }
            if object.phase == .staged, !object.isWriting { return "a staged object without a writer" }
        }
        seen.staleHandleCount = self.counts.staleHandleCount
        if seen != self.counts { return "counts: \(self.counts), found \(seen)" }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        if zip(ranges, ranges.dropFirst()).contains(where: { $0.upperBound > $1.lowerBound }) { return "overlap" }
        if ranges.reduce(0, { $0 + $1.count }) != self.space.usedBytes { return "used bytes" }
        if !self.space.isConsistent { return "space" }
        return self.brokenFamily
    }

    private var brokenFamily: String? {
        var listed: Set<FamilyTable.Index> = []
        var family = self.families.oldest
        while family != Self.none {
            if !listed.insert(family).inserted { return "a family listed twice" }
            family = self.families[family].newer
        }
        var members = 0
        for family in self.families.indices {
            var pinned: UInt32 = 0
            var count: UInt32 = 0
            var index = self.families[family].firstObject
            while index != Self.none {
                count += 1
                pinned += self.objects[Int(index)].isPinned ? 1 : 0
                if self.objects[Int(index)].family != family { return "a member of another family" }
                index = self.objects[Int(index)].next
            }
            members += Int(count)
            let entry = self.families[family]
            if count != entry.objectCount || pinned != entry.pinnedCount || count == 0 { return "family counts" }
            if entry.isListed != (pinned == 0) || listed.contains(family) != entry.isListed { return "family order" }
        }
        return members == self.counts.objectCount ? nil : "objects outside families"
    }
}
