// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Which objects a medium holds, as far as this process knows: lengths, sums and the order of use.
///
/// The medium decides what is served; this only accounts, and follows whatever a load or a store finds out. About
/// 150 bytes for each object; no text is kept twice. No lock: its owner has one.
package struct ObjectIndex: Sendable {
    /// A key whose texts are one number.
    package struct Name: Hashable, Sendable {
        let chunkHash: ChunkHash
        let namespace: UInt32
        let kvRank: KVRank
        let objectGroup: Int

        /// All of the chunk's hash, unlike its own: names come from media where others write, who must not choose what
        /// collides.
        package func hash(into hasher: inout Hasher) {
            let words = self.chunkHash.words
            hasher.combine(words.0)
            hasher.combine(words.1)
            hasher.combine(words.2)
            hasher.combine(words.3)
            hasher.combine(self.namespace)
            hasher.combine(self.kvRank)
            hasher.combine(self.objectGroup)
        }
    }

    private struct Slot: Sendable {
        var name: Name
        var byteCount: Int
        /// Neighbours in the order of use; `none` at the ends.
        var older: Int32
        var newer: Int32
        var isUsed = true
        /// Counted, and neither stored nor loaded since.
        var isRestored = false
    }

    private static let none = Int32.max

    /// Sums without the salts; ``usageBySalt()`` has them.
    package private(set) var usage: L2Usage
    /// Bytes of stores that have room but are not finished.
    package private(set) var reservedBytes = 0
    private var bytesBySalt: [UInt32: Int] = [:]
    private var namespaces = ObjectNamespaces()
    private var slots: [Slot] = []
    private var free: [Int32] = []
    private var places: [Name: Int32] = [:]
    private var oldest = Self.none
    private var newest = Self.none

    /// Makes an empty index of a medium with at most `capacityBytes`, or without a limit.
    package init(capacityBytes: Int?) {
        self.usage = L2Usage(capacityBytes: capacityBytes)
    }

    /// Makes room for this many objects at once.
    package mutating func reserveCapacity(_ count: Int) {
        self.slots.reserveCapacity(count)
        self.places.reserveCapacity(count)
    }

    /// The short form of a key, or nil when there are more models and salts than a number can tell apart.
    package mutating func name(_ key: ObjectKey) -> Name? {
        self.namespaces.intern(modelName: key.modelName, cacheSalt: key.cacheSalt).map { namespace in
            Name(
                chunkHash: key.chunkHash, namespace: namespace, kvRank: key.kvRank, objectGroup: key.objectGroup)
        }
    }

    /// The short form of a file's name, or nil for a file of another origin.
    package mutating func name(_ fields: FileKeyFields) -> Name? {
        self.namespaces.intern(fields).map { namespace in
            Name(
                chunkHash: fields.chunkHash, namespace: namespace, kvRank: fields.kvRank,
                objectGroup: fields.objectGroup)
        }
    }

    /// Claims room for a store. False when the capacity has none.
    ///
    /// - Parameter replaced: Length of the file that the store replaces, or 0.
    package mutating func reserve(_ byteCount: Int, replacing replaced: Int) -> Bool {
        let claimed = self.reservedBytes.addingReportingOverflow(byteCount)
        let total = claimed.partialValue.addingReportingOverflow(max(0, self.usage.usedBytes - replaced))
        guard !claimed.overflow, !total.overflow, total.partialValue <= self.usage.capacityBytes ?? .max else {
            return false
        }
        self.reservedBytes += byteCount
        return true
    }

    /// Gives up what ``reserve(_:replacing:)`` claimed.
    package mutating func unreserve(_ byteCount: Int) {
        self.reservedBytes -= byteCount
        precondition(self.reservedBytes >= 0, "a store gives its room back once")
    }

    /// Notes that a file is there with this length, and was used last.
    package mutating func note(_ name: Name, byteCount: Int) {
        if let place = self.places[name] {
            self.unlink(place)
            self.add(byteCount - self.slots[Int(place)].byteCount, to: name.namespace)
            self.slots[Int(place)].byteCount = byteCount
            self.slots[Int(place)].isRestored = false
            self.linkNewest(place)
            return
        }
        if let place = self.insert(name, byteCount: byteCount) { self.linkNewest(place) }
    }

    /// Notes an object that was there before, as the one used least recently.
    ///
    /// - Returns: Its place for ``putOldest(_:)``, or nil when it is known already or there is no room.
    package mutating func restore(_ name: Name, byteCount: Int) -> Int32? {
        guard self.places[name] == nil, let place = self.insert(name, byteCount: byteCount) else { return nil }
        self.slots[Int(place)].isRestored = true
        self.linkOldest(place)
        return place
    }

    /// Makes a restored object the one used least recently. One that was used or has gone since stays as it is.
    package mutating func putOldest(_ place: Int32) {
        guard self.slots.indices.contains(Int(place)), self.slots[Int(place)].isRestored else { return }
        self.unlink(place)
        self.linkOldest(place)
    }

    private mutating func insert(_ name: Name, byteCount: Int) -> Int32? {
        let slot = Slot(name: name, byteCount: byteCount, older: Self.none, newer: Self.none)
        let place: Int32
        if let reused = self.free.popLast() {
            place = reused
            self.slots[Int(place)] = slot
        } else {
            guard let next = Int32(exactly: self.slots.count), next != Self.none else { return nil }
            place = next
            self.slots.append(slot)
        }
        self.places[name] = place
        self.usage.objectCount += 1
        self.add(byteCount, to: name.namespace)
        return place
    }

    /// Notes that a file is gone. Returns its length if it was known.
    @discardableResult
    package mutating func forget(_ name: Name) -> Int? {
        guard let place = self.places.removeValue(forKey: name) else { return nil }
        let byteCount = self.slots[Int(place)].byteCount
        self.unlink(place)
        self.slots[Int(place)].isUsed = false
        self.slots[Int(place)].isRestored = false
        self.free.append(place)
        self.usage.objectCount -= 1
        self.add(-byteCount, to: name.namespace)
        return byteCount
    }

    /// The object's length, if it is known.
    package func byteCount(of name: Name) -> Int? { self.places[name].map { self.slots[Int($0)].byteCount } }

    /// The keys used least recently, oldest first.
    package func leastRecent(limit: Int) -> [ObjectKey] {
        var keys: [ObjectKey] = []
        var place = self.oldest
        while place != Self.none, keys.count < limit {
            keys.append(self.key(self.slots[Int(place)].name))
            place = self.slots[Int(place)].newer
        }
        return keys
    }

    /// Known keys from slot `start` on, and the slot after the last one, or nil at the end.
    package func page(from start: Int, limit: Int, modelName: String?) -> (keys: [ObjectKey], next: Int?) {
        var keys: [ObjectKey] = []
        var position = max(0, start)
        while position < self.slots.count, keys.count < limit {
            let slot = self.slots[position]
            position += 1
            guard slot.isUsed else { continue }
            if let modelName, self.namespaces[slot.name.namespace].modelName != modelName { continue }
            keys.append(self.key(slot.name))
        }
        return (keys, position < self.slots.count ? position : nil)
    }

    /// Sums with the salts spelled out.
    package func usageBySalt() -> L2Usage {
        var usage = self.usage
        for (namespace, bytes) in self.bytesBySalt where bytes > 0 {
            usage.bytesBySalt[self.namespaces[namespace].cacheSalt, default: 0] += bytes
        }
        return usage
    }

    private func key(_ name: Name) -> ObjectKey {
        let texts = self.namespaces[name.namespace]
        return ObjectKey(
            chunkHash: name.chunkHash, modelName: texts.modelName, kvRank: name.kvRank, objectGroup: name.objectGroup,
            cacheSalt: texts.cacheSalt)
    }

    private mutating func add(_ byteCount: Int, to namespace: UInt32) {
        self.usage.usedBytes += byteCount
        self.bytesBySalt[namespace, default: 0] += byteCount
    }

    private mutating func unlink(_ place: Int32) {
        let (older, newer) = (self.slots[Int(place)].older, self.slots[Int(place)].newer)
        if older == Self.none { self.oldest = newer } else { self.slots[Int(older)].newer = newer }
        if newer == Self.none { self.newest = older } else { self.slots[Int(newer)].older = older }
    }

    private mutating func linkOldest(_ place: Int32) {
        self.slots[Int(place)].newer = self.oldest
        self.slots[Int(place)].older = Self.none
        if self.oldest == Self.none { self.newest = place } else { self.slots[Int(self.oldest)].older = place }
        self.oldest = place
    }

    private mutating func linkNewest(_ place: Int32) {
        self.slots[Int(place)].older = self.newest
        self.slots[Int(place)].newer = Self.none
        if self.newest == Self.none { self.oldest = place } else { self.slots[Int(self.newest)].newer = place }
        self.newest = place
    }
}
