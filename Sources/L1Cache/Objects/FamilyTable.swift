// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// What all objects of one chunk share: whole families are found, used and evicted together.
struct FamilyKey: Equatable {
    var namespace: NamespaceID
    var worldSize: UInt8
    var hash: ChunkHash
}

/// The families by key and in order of use.
///
/// The order holds only families that nothing pins, so that the oldest one can always go. Entries live in one array and
/// are named by their index; a hash table of indices finds them.
struct FamilyTable: Sendable {
    typealias Index = UInt32
    /// Marks the end of a list.
    static let none = UInt32.max

    struct Family {
        var key: FamilyKey
        /// Newest object of the family, in the object table.
        var firstObject: UInt32
        var objectCount: UInt32
        /// Objects that are staged, leased or held.
        var pinnedCount: UInt32
        /// The store that used it last.
        var stamp: UInt32
        /// Neighbours in the order of use, or the chain of unused entries.
        var newer: UInt32
        var older: UInt32
        var isListed: Bool
    }

    private var families: [Family] = []
    private var unusedEntry = Self.none
    private var buckets: [UInt32]
    private let seeds: (UInt64, UInt64)
    private(set) var count = 0
    private(set) var newest = Self.none
    private(set) var oldest = Self.none

    /// Makes an empty table.
    ///
    /// Seeds are secret numbers, so that nobody can choose keys that collide.
    init(seeds: (UInt64, UInt64)) {
        self.seeds = seeds
        self.buckets = Array(repeating: Self.none, count: 64)
    }

    subscript(index: Index) -> Family {
        get { self.families[Int(index)] }
        set { self.families[Int(index)] = newValue }
    }

    func find(_ key: FamilyKey) -> Index? {
        let mask = self.buckets.count - 1
        var bucket = self.home(of: key)
        while self.buckets[bucket] != Self.none {
            if self.families[Int(self.buckets[bucket])].key == key { return self.buckets[bucket] }
            bucket = (bucket + 1) & mask
        }
        return nil
    }

    /// The family of a key, made without objects and unlisted if it was absent.
    mutating func findOrInsert(_ key: FamilyKey) -> Index {
        if let found = self.find(key) { return found }
        if (self.count + 1) * 4 > self.buckets.count * 3 { self.growBuckets() }
        let family = Family(
            key: key,
            firstObject: Self.none,
            objectCount: 0,
            pinnedCount: 0,
            stamp: 0,
            newer: Self.none,
            older: Self.none,
            isListed: false
        )
        let index = self.unusedEntry
        if index == Self.none {
            self.families.append(family)
            self.place(Index(self.families.count - 1))
        } else {
            self.unusedEntry = self.families[Int(index)].older
            self.families[Int(index)] = family
            self.place(index)
        }
        self.count += 1
        return index == Self.none ? Index(self.families.count - 1) : index
    }

    /// Forgets a family that has no objects.
    mutating func remove(_ index: Index) {
        precondition(self.families[Int(index)].objectCount == 0, "a family with objects stays")
        self.unlist(index)
        self.unplace(index)
        self.families[Int(index)].older = self.unusedEntry
        self.unusedEntry = index
        self.count -= 1
    }

    /// Makes a family that nothing pins the most recently used one.
    mutating func markNewest(_ index: Index) {
        guard self.families[Int(index)].pinnedCount == 0, self.newest != index else { return }
        self.unlist(index)
        self.families[Int(index)].isListed = true
        self.families[Int(index)].older = self.newest
        self.families[Int(index)].newer = Self.none
        if self.newest == Self.none {
            self.oldest = index
        } else {
            self.families[Int(self.newest)].newer = index
        }
        self.newest = index
    }

    /// Takes a family out of the order of use.
    mutating func unlist(_ index: Index) {
        let family = self.families[Int(index)]
        guard family.isListed else { return }
        if family.newer == Self.none {
            self.newest = family.older
        } else {
            self.families[Int(family.newer)].older = family.older
        }
        if family.older == Self.none {
            self.oldest = family.newer
        } else {
            self.families[Int(family.older)].newer = family.newer
        }
        self.families[Int(index)].isListed = false
        self.families[Int(index)].newer = Self.none
        self.families[Int(index)].older = Self.none
    }

    /// Every family's index, in no order.
    var indices: [Index] { self.buckets.filter { $0 != Self.none } }

    private func home(of key: FamilyKey) -> Int {
        let context = UInt64(key.namespace.rawValue) << 8 | UInt64(key.worldSize)
        let product = (key.hash.words.0 ^ self.seeds.0)
            .multipliedFullWidth(by: key.hash.words.1 ^ self.seeds.1 ^ context &* 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: product.high ^ product.low) & (self.buckets.count - 1)
    }

    private mutating func place(_ index: Index) {
        var bucket = self.home(of: self.families[Int(index)].key)
        while self.buckets[bucket] != Self.none { bucket = (bucket + 1) & (self.buckets.count - 1) }
        self.buckets[bucket] = index
    }

    /// Linear probing without gravestones: later entries of the run move up into the gap.
    private mutating func unplace(_ index: Index) {
        let mask = self.buckets.count - 1
        var gap = self.home(of: self.families[Int(index)].key)
        while self.buckets[gap] != index { gap = (gap + 1) & mask }
        var bucket = (gap + 1) & mask
        while self.buckets[bucket] != Self.none {
            let home = self.home(of: self.families[Int(self.buckets[bucket])].key)
            if (bucket - home) & mask >= (bucket - gap) & mask {
                self.buckets[gap] = self.buckets[bucket]
                gap = bucket
            }
            bucket = (bucket + 1) & mask
        }
        self.buckets[gap] = Self.none
    }

    private mutating func growBuckets() {
        let placed = self.indices
        self.buckets = Array(repeating: Self.none, count: self.buckets.count * 2)
        for index in placed { self.place(index) }
    }
}
