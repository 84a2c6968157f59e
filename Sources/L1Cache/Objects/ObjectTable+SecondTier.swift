// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a tier behind the first one needs.
extension ObjectTable {
    /// Holds every resident cell of some of the query's chunks, whatever prefix they make.
    mutating func survey(_ query: PrefixQuery, chunks: Range<Int>, into survey: inout PrefixSurvey) {
        guard let worldSize = UInt8(exactly: query.worldSize), worldSize > 0 else { return }
        let rows = query.windows.count * query.worldSize
        for chunk in chunks {
            let key = FamilyKey(namespace: query.namespace, worldSize: worldSize, hash: query.hashes[chunk])
            guard let family = self.families.find(key) else { continue }
            var index = self.families[family].firstObject
            while index != Self.none {
                let object = self.objects[Int(index)]
                let row = Int(object.group) * query.worldSize + Int(object.rank)
                if row < rows {
                    let isResident = object.phase == .resident
                    survey.cells[row * query.hashes.count + chunk] = isResident ? .resident : .staged
                    if isResident {
                        self.update(index) { $0.holds += 1 }
                        survey.holds.append(self.handle(of: index))
                    }
                }
                index = object.next
            }
        }
    }

    /// Marks staged objects as temporary: once visible they go with their last user.
    mutating func markTemporary(_ handles: [ObjectHandle]) {
        for handle in handles where self.isLive(handle) { self.objects[Int(handle.index)].isTemporary = true }
    }

    /// Takes visible objects out of the index: at once, or with their last lease. Bytes stay until their holders end.
    mutating func expel(_ handles: [ObjectHandle]) -> [EvictedObject] {
        var evicted: [EvictedObject] = []
        for handle in handles where self.isLive(handle) && self.objects[Int(handle.index)].phase == .resident {
            if self.objects[Int(handle.index)].leases > 0 {
                self.objects[Int(handle.index)].isTemporary = true
                continue
            }
            self.record(handle.index, reason: .cleared, into: &evicted)
            self.detach(handle.index)
        }
        return evicted
    }

    /// Ends a temporary object that nobody uses any more.
    mutating func endIfTemporary(_ index: Index) {
        guard self.objects[Int(index)].isTemporary else { return }
        let object = self.objects[Int(index)]
        if object.phase == .resident, !object.isPinned { self.detach(index) }
    }

    /// What an object is, for handles that are still in the index and visible.
    func description(of handle: ObjectHandle) -> CommittedObject? {
        guard self.isLive(handle) else { return nil }
        let object = self.objects[Int(handle.index)]
        guard object.phase == .resident else { return nil }
        let key = self.families[object.family].key
        return CommittedObject(
            namespace: key.namespace, hash: key.hash, rank: Int(object.rank), group: Int(object.group),
            worldSize: Int(key.worldSize), byteCount: object.byteCount)
    }

    /// Takes one object out of the index unless somebody leases, holds or writes it; with `force` whatever pins it.
    mutating func remove(_ object: CommittedObject, force: Bool, into evicted: inout [EvictedObject]) -> L1Removal {
        guard let worldSize = UInt8(exactly: object.worldSize), let rank = UInt8(exactly: object.rank),
            let group = UInt16(exactly: object.group),
            let family = self.families.find(
                FamilyKey(namespace: object.namespace, worldSize: worldSize, hash: object.hash)),
            let index = self.object(in: family, rank: rank, group: group)
        else { return .absent }
        guard force || !self.objects[Int(index)].isPinned else { return .inUse }
        self.record(index, reason: .cleared, into: &evicted)
        self.detach(index, keepsWriter: true)
        return .removed
    }
}

/// How the removal of one object ended.
package enum L1Removal: Sendable, Equatable {
    case removed, absent, inUse
}
