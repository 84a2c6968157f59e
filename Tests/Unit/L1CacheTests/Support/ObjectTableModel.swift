// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

@testable import L1Cache

/// The object table as plainly as possible, for objects of one unit each: dictionaries, and one array in order of use.
struct ObjectTableModel {
    struct Key: Hashable {
        var family: Int
        var rank: Int
        var group: Int
    }

    struct Entry {
        var key: Key?
        var isResident = false
        var isWriting = true
        var isQuarantined = false
        var leases = 0
        var holds = 0

        var isPinned: Bool { self.isWriting || self.leases > 0 || self.holds > 0 }
    }

    static let worldSize = 2
    let unitCount: Int
    var entries: [ObjectHandle: Entry] = [:]
    /// Families that nothing pins, the oldest first.
    var order: [Int] = []

    func handles(of family: Int) -> [ObjectHandle] { self.entries.filter { $0.value.key?.family == family }.map(\.key) }

    func handle(of key: Key) -> ObjectHandle? { self.entries.first { $0.value.key == key }?.key }

    func isResident(_ key: Key) -> Bool { self.handle(of: key).map { self.entries[$0]?.isResident == true } ?? false }

    mutating func markNewest(_ family: Int) {
        let members = self.handles(of: family)
        guard !members.isEmpty, members.allSatisfy({ self.entries[$0]?.isPinned == false }) else { return }
        self.order.removeAll { $0 == family }
        self.order.append(family)
    }

    /// Changes an entry, then puts its family where it belongs.
    mutating func change(_ handle: ObjectHandle, _ body: (inout Entry) -> Void) {
        guard var entry = self.entries[handle] else { return }
        let before = entry
        body(&entry)
        self.entries[handle] = entry
        if entry.key == nil, entry.holds == 0, !entry.isQuarantined, !entry.isWriting { self.entries[handle] = nil }
        guard let family = before.key?.family else { return }
        let wasPinned = before.isPinned
        let isPinned = entry.key != nil && entry.isPinned
        if isPinned { self.order.removeAll { $0 == family } }
        if wasPinned, !isPinned { self.markNewest(family) }
        if self.handles(of: family).isEmpty { self.order.removeAll { $0 == family } }
    }

    /// Expected answers by kind, and families evicted, for a store of consecutive families.
    mutating func reserve(_ families: Range<Int>, rank: Int, group: Int, granted: [ObjectHandle?]) -> (
        kinds: [String], evicted: [Int]
    ) {
        for family in families.reversed() { self.markNewest(family) }
        var kinds: [String] = []
        var evicted: [Int] = []
        var isFull = false
        for (family, handle) in zip(families, granted) {
            let key = Key(family: family, rank: rank, group: group)
            if let known = self.handle(of: key) {
                kinds.append(self.entries[known]?.isResident == true ? "resident" : "contended")
                continue
            }
            while !isFull, self.entries.count >= self.unitCount {
                guard let oldest = self.order.first, !families.contains(oldest) else {
                    isFull = true
                    break
                }
                evicted.append(oldest)
                for member in self.handles(of: oldest) { self.entries[member] = nil }
                self.order.removeFirst()
            }
            kinds.append(isFull ? "full" : "granted")
            guard !isFull, let handle else { continue }
            self.entries[handle] = Entry(key: key)
            self.order.removeAll { $0 == family }
        }
        return (kinds, evicted)
    }

    func hit(_ families: Range<Int>, windows: [PrefixWindow]) -> Int {
        (0...families.count).last { prefix in
            windows.indices.allSatisfy { group in
                windows[group].needed(forPrefix: prefix).allSatisfy { chunk in
                    (0..<Self.worldSize).allSatisfy {
                        self.isResident(Key(family: families.lowerBound + chunk, rank: $0, group: group))
                    }
                }
            }
        } ?? 0
    }

    mutating func acquire(_ families: Range<Int>, windows: [PrefixWindow]) -> [ObjectHandle] {
        let hit = self.hit(families, windows: windows)
        var leased: [ObjectHandle] = []
        for chunk in (0..<hit).reversed() {
            self.markNewest(families.lowerBound + chunk)
            for group in windows.indices where windows[group].needed(forPrefix: hit).contains(chunk) {
                for rank in 0..<Self.worldSize {
                    let key = Key(family: families.lowerBound + chunk, rank: rank, group: group)
                    guard let handle = self.handle(of: key) else { continue }
                    self.change(handle) { $0.leases += 1 }
                    leased.append(handle)
                }
            }
        }
        return leased
    }
}
