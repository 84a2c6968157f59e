// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension ObjectTable {
    /// Finds the longest servable prefix, leases what it needs and makes its families the newest.
    ///
    /// Allocates a fixed number of arrays, whatever the number of chunks.
    mutating func acquire(_ query: PrefixQuery) -> ReadLease {
        guard let worldSize = UInt8(exactly: query.worldSize), worldSize > 0, !query.windows.isEmpty,
            query.windows.count <= Int(UInt16.max)
        else { return .empty }
        let (hit, families) = self.longestPrefix(query, worldSize: worldSize)
        guard hit > 0 else { return .empty }
        let retained = query.windows.map { $0.needed(forPrefix: hit) }
        let cellCount = retained.reduce(0) { $0 + $1.count } * query.worldSize
        let shares = UInt32(clamping: max(1, query.readerCount))
        let unset = ReadLease.Cell(handle: ObjectHandle(index: Self.none, generation: 0), shares: shares)
        var cells = Array(repeating: unset, count: cellCount)
        // Backwards, so that chunk 0 ends newest and tails are evicted first.
        for chunk in stride(from: hit - 1, through: 0, by: -1) {
            let family = families[chunk]
            guard family != Self.none else { continue }
            self.families.markNewest(family)
            self.lease(family, chunk: chunk, retained: retained, worldSize: query.worldSize, cells: &cells)
        }
        return ReadLease(chunkCount: hit, worldSize: query.worldSize, retainedRanges: retained, cells: cells)
    }

    /// Ends one lease on each object.
    ///
    /// Backwards: the first becomes the newest.
    mutating func release(_ handles: [ObjectHandle]) {
        for handle in handles.reversed() {
            guard let index = self.resolve(handle) else { continue }
            self.endLease(index)
        }
    }

    /// Holds every object or none; nil when one is gone or out of the index.
    mutating func hold(_ handles: [ObjectHandle]) -> [ObjectPlace]? {
        guard handles.allSatisfy({ self.isHoldable($0) }) else {
            self.counts.staleHandleCount += 1
            return nil
        }
        var places: [ObjectPlace] = []
        places.reserveCapacity(handles.count)
        for handle in handles {
            self.update(handle.index) { $0.holds += 1 }
            places.append(self.place(of: handle.index))
        }
        return places
    }

    /// Holds every object or none; either way the leases marked as last end.
    mutating func convertLeasesToHolds(_ handles: [(ObjectHandle, isLast: Bool)]) -> [ObjectPlace]? {
        let places = self.hold(handles.map(\.0))
        for (handle, isLast) in handles.reversed() where isLast {
            guard let index = self.resolve(handle) else { continue }
            self.endLease(index)
        }
        return places
    }

    /// Ends one hold on each object; a detached one's bytes go with its last hold.
    mutating func releaseHolds(_ handles: [ObjectHandle]) {
        for handle in handles.reversed() {
            guard let index = self.resolve(handle), self.objects[Int(index)].holds > 0 else { continue }
            self.update(index) { $0.holds -= 1 }
            self.freeIfUnused(index)
            self.endIfTemporary(index)
        }
    }

    /// Makes families the newest, the first chunk newest of all.
    mutating func touch(namespace: NamespaceID, worldSize: Int, hashes: [ChunkHash]) {
        guard let worldSize = UInt8(exactly: worldSize) else { return }
        for hash in hashes.reversed() {
            let key = FamilyKey(namespace: namespace, worldSize: worldSize, hash: hash)
            guard let family = self.families.find(key) else { continue }
            self.families.markNewest(family)
        }
    }

    private func isHoldable(_ handle: ObjectHandle) -> Bool {
        self.isLive(handle) && self.objects[Int(handle.index)].phase != .detached
    }

    private mutating func endLease(_ index: Index) {
        guard self.objects[Int(index)].leases > 0 else { return }
        self.update(index) { $0.leases -= 1 }
        self.endIfTemporary(index)
    }

    /// Hit length in chunks, and the family of each chunk that was looked at.
    private func longestPrefix(_ query: PrefixQuery, worldSize: UInt8) -> (Int, [FamilyTable.Index]) {
        let rowCount = query.windows.count * query.worldSize
        var rowWindows: [PrefixWindow] = []
        rowWindows.reserveCapacity(rowCount)
        for window in query.windows { for _ in 0..<query.worldSize { rowWindows.append(window) } }
        var fold = PrefixFold(windows: rowWindows)
        var families: [FamilyTable.Index] = []
        families.reserveCapacity(query.hashes.count)
        var present = Array(repeating: false, count: rowCount)
        for chunk in query.hashes.indices {
            let key = FamilyKey(namespace: query.namespace, worldSize: worldSize, hash: query.hashes[chunk])
            let family = self.families.find(key)
            families.append(family ?? Self.none)
            self.markPresent(family, worldSize: query.worldSize, in: &present)
            fold.nextChunk { present[$0] }
            if fold.isDecided { break }
        }
        return (fold.servable, families)
    }

    private func markPresent(_ family: FamilyTable.Index?, worldSize: Int, in present: inout [Bool]) {
        for row in present.indices { present[row] = false }
        var index = family.map { self.families[$0].firstObject } ?? Self.none
        while index != Self.none {
            let object = self.objects[Int(index)]
            let row = Int(object.group) * worldSize + Int(object.rank)
            if object.phase == .resident, row < present.count { present[row] = true }
            index = object.next
        }
    }

    private mutating func lease(
        _ family: FamilyTable.Index,
        chunk: Int,
        retained: [Range<Int>],
        worldSize: Int,
        cells: inout [ReadLease.Cell]
    ) {
        var index = self.families[family].firstObject
        while index != Self.none {
            let object = self.objects[Int(index)]
            if object.phase == .resident,
                let position = ReadLease.position(
                    group: Int(object.group),
                    rank: Int(object.rank),
                    chunk: chunk,
                    retained: retained,
                    worldSize: worldSize
                )
            {
                self.update(index) { $0.leases += 1 }
                cells[position].handle = self.handle(of: index)
            }
            index = object.next
        }
    }
}
