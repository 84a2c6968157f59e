// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension ObjectTable {
    /// Answers the chunks of a store that `grants` has no answer for yet, making room by eviction where that is
    /// allowed.
    ///
    /// Returns the bytes of one object when the next chunk has no room and `mayGrow`; the caller then adds space and
    /// calls again, or calls again with `mayGrow` false. Nil when every chunk has its answer. Without `mayEvict` only
    /// the limit on the number of objects makes it evict.
    mutating func reserve(
        _ write: WriteQuery,
        mayGrow: Bool,
        mayEvict: Bool = true,
        grants: inout [WriteGrant],
        evicted: inout [EvictedObject]
    ) -> Int? {
        guard let worldSize = UInt8(exactly: write.worldSize), let rank = UInt8(exactly: write.rank),
            let group = UInt16(exactly: write.group), rank < worldSize,
            let bytes = self.space.rounded(write.byteCount)
        else {
            for _ in grants.count..<write.hashes.count { grants.append(.outOfMemory) }
            return nil
        }
        if grants.isEmpty { self.stampFamilies(write, worldSize: worldSize) }
        var isFull = false
        while grants.count < write.hashes.count {
            let key = FamilyKey(namespace: write.namespace, worldSize: worldSize, hash: write.hashes[grants.count])
            if let known = self.known(key, rank: rank, group: group) {
                grants.append(known)
                continue
            }
            if !isFull, let index = self.makeStaged(key, rank: rank, group: group, byteCount: write.byteCount) {
                self.families[self.objects[Int(index)].family].stamp = self.stamp
                grants.append(.granted(self.handle(of: index), self.place(of: index)))
            } else if isFull || !mayGrow || self.isAtLimit {
                isFull = isFull || bytes > self.space.totalBytes || !(mayEvict || self.isAtLimit)
                isFull = isFull || !self.evictOldestUnstamped(&evicted)
                if isFull { grants.append(.outOfMemory) }
            } else {
                return bytes
            }
        }
        return nil
    }

    /// Makes staged objects visible; objects that were cleared meanwhile just end.
    mutating func commit(_ handles: [ObjectHandle]) -> [CommittedObject] {
        var committed: [CommittedObject] = []
        committed.reserveCapacity(handles.count)
        for handle in handles.reversed() {
            guard let index = self.resolve(handle), self.endWriting(index) else { continue }
            self.update(index) {
                $0.phase = .resident
                $0.isWriting = false
            }
            let object = self.objects[Int(index)]
            let key = self.families[object.family].key
            committed.append(
                CommittedObject(
                    namespace: key.namespace,
                    hash: key.hash,
                    rank: Int(object.rank),
                    group: Int(object.group),
                    worldSize: Int(key.worldSize),
                    byteCount: object.byteCount
                )
            )
        }
        committed.reverse()
        return committed
    }

    /// Ends staged objects that will never be visible.
    mutating func abort(_ handles: [ObjectHandle]) {
        for handle in handles.reversed() {
            guard let index = self.resolve(handle), self.endWriting(index) else { continue }
            self.detach(index)
        }
    }

    /// Frees the keys of staged objects for other writers and keeps their bytes until `releaseQuarantine`.
    mutating func quarantine(_ handles: [ObjectHandle]) {
        for handle in handles.reversed() {
            guard let index = self.resolve(handle), self.endWriting(index, isQuarantined: true) else { continue }
            self.detach(index, isQuarantined: true)
        }
    }

    /// Ends quarantines; bytes go unless a hold keeps them.
    mutating func releaseQuarantine(_ handles: [ObjectHandle]) {
        for handle in handles {
            guard let index = self.resolve(handle), self.objects[Int(index)].isQuarantined else { continue }
            self.objects[Int(index)].isQuarantined = false
            self.counts.quarantinedCount -= 1
            self.freeIfUnused(index)
        }
    }

    /// True when the object is staged, so that its writer decides.
    ///
    /// Ends the writing of one that was cleared meanwhile.
    private mutating func endWriting(_ index: Index, isQuarantined: Bool = false) -> Bool {
        let object = self.objects[Int(index)]
        guard object.isWriting else { return false }
        if object.phase == .staged { return true }
        self.objects[Int(index)].isWriting = false
        self.objects[Int(index)].isQuarantined = isQuarantined
        if isQuarantined { self.counts.quarantinedCount += 1 }
        self.freeIfUnused(index)
        return false
    }

    private func known(_ key: FamilyKey, rank: UInt8, group: UInt16) -> WriteGrant? {
        guard let family = self.families.find(key),
            let index = self.object(in: family, rank: rank, group: group)
        else { return nil }
        return self.objects[Int(index)].phase == .resident ? .alreadyResident : .contended
    }

    /// The prompt that is stored must not be evicted to make room for itself.
    private mutating func stampFamilies(_ write: WriteQuery, worldSize: UInt8) {
        self.stamp &+= 1
        for hash in write.hashes.reversed() {
            let key = FamilyKey(namespace: write.namespace, worldSize: worldSize, hash: hash)
            guard let family = self.families.find(key) else { continue }
            self.families[family].stamp = self.stamp
            self.families.markNewest(family)
        }
    }
}
