// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Which objects exist, who keeps them, and where their bytes lie.
///
/// No lock, no memory, no clock inside.
///
/// An object is staged (reserved, invisible), resident (visible) or detached (out of the index while a hold or a
/// quarantine keeps its bytes). Its bytes are free once it is in none of these states; handles to it are stale then and
/// are refused quietly.
struct ObjectTable: Sendable {
    typealias Index = UInt32
    static let none = UInt32.max

    enum Phase: UInt8 {
        case vacant, staged, resident, detached
    }

    struct Object {
        var generation: UInt32 = 0
        /// None once detached.
        var family = ObjectTable.none
        /// Next object of the family, or the chain of vacant entries.
        var next = ObjectTable.none
        var block: UInt32 = 0
        var byteCount = 0
        var leases: UInt32 = 0
        var holds: UInt32 = 0
        var group: UInt16 = 0
        var rank: UInt8 = 0
        var phase = Phase.vacant
        /// The writer has not committed, aborted or been quarantined.
        ///
        /// Always so while staged; a cleared object stays so.
        var isWriting = false
        var isQuarantined = false
        /// Goes with its last lease or hold.
        var isTemporary = false

        /// True while the object must not be evicted.
        var isPinned: Bool { self.isWriting || self.leases > 0 || self.holds > 0 }
    }

    let limit: Int
    let policy: EvictionPolicyKind
    var objects: [Object] = []
    var families: FamilyTable
    var space: SpaceAllocator
    var counts = L1Usage()
    var stamp: UInt32 = 0
    private var vacant = Self.none

    /// Makes a table without objects and without space.
    ///
    /// - Parameters:
    ///   - unit: Alignment and smallest size of an object, in bytes.
    ///   - limit: Most objects at once.
    ///   - seeds: Secret numbers for the hash table.
    init(unit: Int, limit: Int, policy: EvictionPolicyKind, seeds: (UInt64, UInt64)) {
        self.limit = limit
        self.policy = policy
        self.families = FamilyTable(seeds: seeds)
        self.space = SpaceAllocator(unit: unit)
    }

    /// The object behind a handle, or nil (counted) when it is gone.
    mutating func resolve(_ handle: ObjectHandle) -> Index? {
        if self.isLive(handle) { return handle.index }
        self.counts.staleHandleCount += 1
        return nil
    }

    func isLive(_ handle: ObjectHandle) -> Bool {
        guard Int(handle.index) < self.objects.count else { return false }
        let object = self.objects[Int(handle.index)]
        return object.generation == handle.generation && object.phase != .vacant
    }

    func place(of index: Index) -> ObjectPlace {
        let object = self.objects[Int(index)]
        return ObjectPlace(offset: self.space.offset(of: object.block), length: object.byteCount)
    }

    func handle(of index: Index) -> ObjectHandle {
        ObjectHandle(index: index, generation: self.objects[Int(index)].generation)
    }

    /// The family's object of one shard and group.
    func object(in family: FamilyTable.Index, rank: UInt8, group: UInt16) -> Index? {
        var index = self.families[family].firstObject
        while index != Self.none {
            let object = self.objects[Int(index)]
            if object.rank == rank, object.group == group { return index }
            index = object.next
        }
        return nil
    }

    /// True when more space would not help a store.
    var isAtLimit: Bool { self.counts.objectCount + self.counts.detachedCount >= self.limit }

    /// Makes a staged object in a family; nil when there is no room.
    mutating func makeStaged(_ key: FamilyKey, rank: UInt8, group: UInt16, byteCount: Int) -> Index? {
        guard !self.isAtLimit, let block = self.space.allocate(byteCount: byteCount) else { return nil }
        let index = self.takeEntry()
        let family = self.families.findOrInsert(key)
        let generation = self.objects[Int(index)].generation
        self.objects[Int(index)] = Object(
            generation: generation,
            family: family,
            next: self.families[family].firstObject,
            block: block,
            byteCount: byteCount,
            group: group,
            rank: rank,
            phase: .staged,
            isWriting: true
        )
        self.families[family].firstObject = index
        self.families[family].objectCount += 1
        self.families[family].pinnedCount += 1
        self.families.unlist(family)
        self.counts.objectCount += 1
        self.counts.stagedCount += 1
        self.counts.stagedBytes += self.space.size(of: block)
        return index
    }

    /// Changes one object's phase or counts and keeps every total and its family's pins in step.
    mutating func update(_ index: Index, _ change: (inout Object) -> Void) {
        let before = self.objects[Int(index)]
        change(&self.objects[Int(index)])
        let after = self.objects[Int(index)]
        self.counts.leasedCount += (after.leases > 0 ? 1 : 0) - (before.leases > 0 ? 1 : 0)
        self.counts.heldCount += (after.holds > 0 ? 1 : 0) - (before.holds > 0 ? 1 : 0)
        if before.phase == .staged, after.phase == .resident {
            self.counts.stagedCount -= 1
            self.counts.stagedBytes -= self.space.size(of: before.block)
            self.counts.residentCount += 1
        }
        guard after.family != Self.none, before.isPinned != after.isPinned else { return }
        if after.isPinned {
            self.families[after.family].pinnedCount += 1
            self.families.unlist(after.family)
        } else {
            self.families[after.family].pinnedCount -= 1
            self.families.markNewest(after.family)
        }
    }

    /// Takes an object out of the index.
    ///
    /// Its leases end; its bytes go at once unless held or `isQuarantined`, or `keepsWriter` and somebody writes them.
    mutating func detach(_ index: Index, isQuarantined: Bool = false, keepsWriter: Bool = false) {
        let object = self.objects[Int(index)]
        self.unlink(index, of: object.family, wasPinned: object.isPinned)
        self.counts.objectCount -= 1
        if object.phase == .staged {
            self.counts.stagedCount -= 1
            self.counts.stagedBytes -= self.space.size(of: object.block)
        } else {
            self.counts.residentCount -= 1
        }
        if object.leases > 0 { self.counts.leasedCount -= 1 }
        self.objects[Int(index)].family = Self.none
        self.objects[Int(index)].leases = 0
        self.objects[Int(index)].phase = .detached
        self.objects[Int(index)].isQuarantined = isQuarantined
        self.objects[Int(index)].isWriting = keepsWriter && object.isWriting
        self.counts.detachedCount += 1
        if isQuarantined { self.counts.quarantinedCount += 1 }
        self.freeIfUnused(index)
    }

    /// Returns a detached object's bytes when nothing keeps them any more.
    mutating func freeIfUnused(_ index: Index) {
        let object = self.objects[Int(index)]
        guard object.phase == .detached, object.holds == 0, !object.isQuarantined, !object.isWriting else { return }
        self.space.free(object.block)
        self.counts.detachedCount -= 1
        self.objects[Int(index)] = Object(generation: object.generation &+ 1, next: self.vacant)
        self.vacant = index
    }

    private mutating func takeEntry() -> Index {
        guard self.vacant != Self.none else {
            self.objects.append(Object())
            return Index(self.objects.count - 1)
        }
        let index = self.vacant
        self.vacant = self.objects[Int(index)].next
        return index
    }

    private mutating func unlink(_ index: Index, of family: FamilyTable.Index, wasPinned: Bool) {
        let next = self.objects[Int(index)].next
        var previous = self.families[family].firstObject
        if previous == index {
            self.families[family].firstObject = next
        } else {
            while self.objects[Int(previous)].next != index { previous = self.objects[Int(previous)].next }
            self.objects[Int(previous)].next = next
        }
        self.families[family].objectCount -= 1
        if wasPinned { self.families[family].pinnedCount -= 1 }
        if self.families[family].objectCount == 0 {
            self.families.remove(family)
        } else if wasPinned {
            self.families.markNewest(family)
        }
    }
}
