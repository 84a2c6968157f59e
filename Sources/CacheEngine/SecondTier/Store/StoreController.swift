// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache
package import L2Storage

/// Hands what engines stored to every tier: each object once, a bounded number at a time, retried a bounded number of
/// times. Decides only; the owner acts.
///
///     offered ──> queued ──next──> in flight ──stored──> done in this tier ──all tiers──> may leave the first tier
///                   ^                  │
///                   └── pause ── failed, attempts left        full queue, refused, attempts used up: dropped, counted
///
/// What is queued is not held: under pressure it may leave the first tier before its turn. No clock, lock or I/O inside.
package struct StoreController: Sendable {
    /// Of each tier.
    package struct Limits: Sendable, Equatable {
        package var queuedObjects = 65_536
        package var queuedBytes = 64 << 30
        package var tasks = 8
        /// Bytes in flight. One batch passes whatever its size.
        package var bytesInFlight = 512 << 20
        package var batchObjects = 64
        package var batchBytes = 64 << 20
        /// Tries of one object, the first included.
        package var attempts = 4
        /// Before the second try; doubled before each further one.
        package var pauseMilliseconds: UInt64 = 250

        package init() {}
    }

    /// One object of a batch.
    package struct Item: Sendable, Equatable {
        package let identity: ObjectIdentity
        package let handle: ObjectHandle
        package let byteCount: Int
    }

    /// Objects of one namespace that go to one tier together.
    package struct Batch: Sendable, Equatable {
        package let number: UInt64
        package let tier: TierID
        package let namespace: NamespaceID
        package let items: [Item]
        package var byteCount: Int { self.items.reduce(0) { $0 + $1.byteCount } }
    }

    /// How one object of a batch ended.
    package enum Ending: Sendable, Equatable {
        case stored
        /// Another try may help.
        case failed
        /// It will not: no space, no name on this medium, another layout.
        case refused
        /// It left the first tier before its turn.
        case gone
    }

    package struct Counters: Sendable, Equatable {
        package var offered = 0
        package var duplicates = 0
        package var stored = 0
        package var retried = 0
        /// The queue was full.
        package var dropped = 0
        /// Refused, or the tries are used up.
        package var failed = 0
        package var gone = 0
    }

    private struct Object: Sendable {
        var handle: ObjectHandle
        let byteCount: Int
        /// Tiers that do not have it yet, and how often each was tried.
        var waiting: [TierID: Int]
        var isIncomplete = false
    }

    private struct Lane: Sendable {
        var queue: [ObjectIdentity] = []
        var head = 0
        var queuedBytes = 0
        var retries: [(due: L2Instant, identity: ObjectIdentity)] = []
        var batches: [UInt64: Batch] = [:]
        var bytesInFlight = 0

        var queuedObjects: Int { self.queue.count - self.head + self.retries.count }

        /// Drops what was taken, now and then.
        mutating func compact() {
            guard self.head > 1024 || self.head == self.queue.count else { return }
            self.queue.removeFirst(self.head)
            self.head = 0
        }
    }

    package let limits: Limits
    package private(set) var counters = Counters()
    private var objects: [ObjectIdentity: Object] = [:]
    private var lanes: [TierID: Lane] = [:]
    private var lastBatch: UInt64 = 0

    package init(limits: Limits) { self.limits = limits }

    // MARK: Figures

    package func queuedObjects(of tier: TierID) -> Int { self.lanes[tier]?.queuedObjects ?? 0 }
    package func batchesInFlight(of tier: TierID) -> Int { self.lanes[tier]?.batches.count ?? 0 }
    package func bytesInFlight(of tier: TierID) -> Int { self.lanes[tier]?.bytesInFlight ?? 0 }
    package var trackedObjects: Int { self.objects.count }
    package var inFlightCount: Int { self.lanes.values.reduce(0) { $0 + $1.batches.count } }
    package var isIdle: Bool { self.objects.isEmpty }

    // MARK: Tiers

    package mutating func add(_ tier: TierID) { self.lanes[tier] = Lane() }

    /// Forgets a tier. Returns objects that every remaining tier has.
    package mutating func remove(_ tier: TierID) -> [ObjectHandle] {
        self.lanes[tier] = nil
        return self.objects.keys.compactMap { self.leave(tier, $0, isStored: false) }
    }

    // MARK: Objects

    /// Queues one object for the tiers; one that a tier has queued or in flight is not queued there again.
    package mutating func offer(_ item: Item, to tiers: [TierID]) {
        self.counters.offered += 1
        var object = self.objects[item.identity] ?? Object(handle: item.handle, byteCount: item.byteCount, waiting: [:])
        // Stored anew, so the older one is gone.
        object.handle = item.handle
        for tier in tiers {
            guard var lane = self.lanes[tier] else { continue }
            guard object.waiting[tier] == nil else {
                self.counters.duplicates += 1
                continue
            }
            guard lane.queuedObjects < self.limits.queuedObjects,
                item.byteCount <= self.limits.queuedBytes - lane.queuedBytes
            else {
                self.counters.dropped += 1
                object.isIncomplete = true
                continue
            }
            object.waiting[tier] = 0
            lane.queue.append(item.identity)
            lane.queuedBytes += object.byteCount
            self.lanes[tier] = lane
        }
        self.objects[item.identity] = object.waiting.isEmpty ? nil : object
    }

    /// True when a batch could start now.
    package func hasWork(for tier: TierID, now: L2Instant) -> Bool {
        guard let lane = self.lanes[tier], lane.batches.count < self.limits.tasks,
            lane.bytesInFlight < self.limits.bytesInFlight
        else { return false }
        return lane.head < lane.queue.count || lane.retries.contains { $0.due <= now }
    }

    /// Takes the next batch, which must be ended by ``finish(_:endings:now:)``.
    package mutating func next(for tier: TierID, now: L2Instant) -> Batch? {
        guard self.hasWork(for: tier, now: now), var lane = self.lanes[tier] else { return nil }
        let due = lane.retries.filter { $0.due <= now }.map(\.identity)
        lane.retries.removeAll { $0.due <= now }
        // Retried objects go first: they have waited longest.
        lane.queue.replaceSubrange(..<lane.head, with: due)
        lane.head = 0
        var items: [Item] = []
        var bytes = 0
        let room = self.limits.bytesInFlight - lane.bytesInFlight
        while lane.head < lane.queue.count, items.count < self.limits.batchObjects {
            let identity = lane.queue[lane.head]
            guard let object = self.objects[identity], object.waiting[tier] != nil else {
                lane.head += 1
                continue
            }
            let fits: Bool
            if let first = items.first {
                let isOfSameKind = identity.namespace == first.identity.namespace
                fits = isOfSameKind && bytes + object.byteCount <= min(self.limits.batchBytes, room)
            } else {
                fits = lane.batches.isEmpty || object.byteCount <= room
            }
            guard fits else { break }
            lane.head += 1
            lane.queuedBytes -= object.byteCount
            bytes += object.byteCount
            items.append(Item(identity: identity, handle: object.handle, byteCount: object.byteCount))
        }
        lane.compact()
        guard let first = items.first else {
            self.lanes[tier] = lane
            return nil
        }
        self.lastBatch += 1
        let batch = Batch(
            number: self.lastBatch, tier: tier, namespace: first.identity.namespace, items: items)
        lane.batches[batch.number] = batch
        lane.bytesInFlight += bytes
        self.lanes[tier] = lane
        return batch
    }

    /// Ends a batch. Returns objects that every tier has now.
    ///
    /// - Parameter endings: One an item, in order.
    package mutating func finish(_ batch: Batch, endings: [Ending], now: L2Instant) -> [ObjectHandle] {
        guard self.lanes[batch.tier]?.batches.removeValue(forKey: batch.number) != nil else { return [] }
        self.lanes[batch.tier]?.bytesInFlight -= batch.byteCount
        var complete: [ObjectHandle] = []
        for (index, item) in batch.items.enumerated() {
            let ending = index < endings.count ? endings[index] : .failed
            if let handle = self.finish(item, ending, batch.tier, now: now) { complete.append(handle) }
        }
        return complete
    }

    private mutating func finish(
        _ item: Item, _ ending: Ending, _ tier: TierID, now: L2Instant
    ) -> ObjectHandle? {
        guard let object = self.objects[item.identity], let tries = object.waiting[tier] else { return nil }
        switch ending {
        case .stored:
            self.counters.stored += 1
            return self.leave(tier, item.identity, isStored: true)
        case .failed where tries + 1 < self.limits.attempts:
            self.counters.retried += 1
            self.objects[item.identity]?.waiting[tier] = tries + 1
            let pause = self.limits.pauseMilliseconds << UInt64(min(tries, 16))
            self.lanes[tier]?.retries.append((now.advanced(milliseconds: pause), item.identity))
            self.lanes[tier]?.queuedBytes += item.byteCount
            return nil
        case .failed, .refused: self.counters.failed += 1
        // A newer object of this name is queued under the same entry.
        case .gone where object.handle != item.handle:
            self.lanes[tier]?.queue.append(item.identity)
            self.lanes[tier]?.queuedBytes += item.byteCount
            return nil
        case .gone: self.counters.gone += 1
        }
        return self.leave(tier, item.identity, isStored: false)
    }

    /// The tier is done with an object. Returns its handle if it is complete in every tier.
    private mutating func leave(_ tier: TierID, _ identity: ObjectIdentity, isStored: Bool) -> ObjectHandle? {
        guard var object = self.objects[identity], object.waiting.removeValue(forKey: tier) != nil else { return nil }
        object.isIncomplete = object.isIncomplete || !isStored
        self.objects[identity] = object.waiting.isEmpty ? nil : object
        return object.waiting.isEmpty && !object.isIncomplete ? object.handle : nil
    }
}
