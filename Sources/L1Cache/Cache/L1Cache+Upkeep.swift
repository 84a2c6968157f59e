// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

extension L1Cache {
    /// Families removed under one lock; the lock is released in between.
    private static let evictionBatch = 512
    /// Families cleared under one lock: about two milliseconds.
    private static let clearBatch = 2048
    private static let roundMilliseconds = 1000
    /// Rounds of the growth thread between two attempts after a refusal.
    private static let roundsBetweenAttempts = 10

    /// Removes everything that nobody leases, holds or writes; with `force` everything.
    ///
    /// Returns the objects removed.
    ///
    /// Goes through all families that are there at the start, a batch at a time; other threads proceed in between. Held
    /// and half-written bytes stay until their holders end, but cannot be found any more.
    package func clear(force: Bool) -> Int {
        let families = self.state.withLock { $0.table.families.indices }
        var removed = 0
        for start in stride(from: 0, to: families.count, by: Self.clearBatch) {
            let batch = families[start..<min(start + Self.clearBatch, families.count)]
            let evicted = self.state.withLock { $0.table.clear(batch, force: force) }
            if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
            removed += evicted.count
        }
        return removed
    }

    /// Removes the configured fraction of all families, at least one, when usage reached the watermark.
    @discardableResult
    package func evictAboveWatermark() -> EvictionRound {
        var round = EvictionRound()
        let (usage, familyCount) = self.state.withLock { ($0.usage.ratio, $0.table.families.count) }
        round.usage = usage
        round.isTriggered = usage >= self.configuration.triggerWatermark
        if round.isTriggered { self.evict(familyCount, &round) }
        self.listener?.watermarkTick(usage: usage, triggered: round.isTriggered)
        return round
    }

    private func evict(_ familyCount: Int, _ round: inout EvictionRound) {
        let fraction = Double(familyCount) * self.configuration.evictionRatio
        var remaining = self.configuration.evictionRatio > 0 ? max(1, Int(fraction)) : 0
        while remaining > 0 {
            var evicted: [EvictedObject] = []
            let count = min(remaining, Self.evictionBatch)
            let removed = self.state.withLock { $0.table.evictOldest(count, into: &evicted) }
            round.evictedObjects += evicted.count
            round.evictedBytes += evicted.reduce(0) { $0 + $1.byteCount }
            if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
            guard removed == count else { break }
            remaining -= removed
        }
    }

    /// Commits more of the arena and makes it usable.
    ///
    /// A refusal is told once and stops growth until a later attempt.
    @discardableResult
    func grow(atLeast byteCount: Int) -> Bool {
        do {
            try self.arena.grow(atLeast: byteCount) { self.extend($0) }
            return true
        } catch {
            self.noteRefusal(error)
            return false
        }
    }

    private func extend(_ added: Int) {
        guard added > 0 else { return }
        self.state.withLock { state in
            state.table.space.extend(byteCount: added)
            state.growthErrno = nil
        }
    }

    private func noteRefusal(_ error: SystemCallError) {
        let (isNews, committed) = self.state.withLock { state in
            defer { state.growthErrno = error.errno }
            return (state.growthErrno == nil, state.table.space.totalBytes)
        }
        if isNews { self.listener?.growthFailed(errno: error.errno, committedBytes: committed) }
    }

    /// Commits what one store needs now, within its budget. False when that is not enough or would have to wait: the
    /// caller does without, and the growth thread makes more.
    func growForStore(needed: Int, budget: inout Int) -> Bool {
        let length = max(needed, min(self.configuration.growthStepBytes, budget))
        guard length <= budget else { return false }
        budget -= length
        do {
            return try self.arena.growUnlessBusy(by: length, needed: needed) { self.extend($0) }
        } catch {
            self.noteRefusal(error)
            return true
        }
    }

    /// Lets the growth thread commit the whole capacity, for devices that fill it faster than memory can be had.
    package func commitAhead() {
        self.state.withLock { $0.headStartBytes = max($0.headStartBytes, self.configuration.capacityBytes) }
        self.growthSignal.poke()
    }

    /// Tells the growth thread to go on once a step is missing, or half of a small head start.
    func wakeGrowthIfShort() {
        let isShort = self.state.withLock { state in
            let enough = min(self.configuration.growthStepBytes, state.headStartBytes / 2)
            return state.growthErrno == nil && state.missingBytes > enough
        }
        if isShort { self.growthSignal.poke() }
    }

    func startThreads() {
        let evictor = NativeThread(name: "l1-evictor") { @Sendable [self] in
            while !self.stopSignal.wait(milliseconds: Self.roundMilliseconds) { self.evictAboveWatermark() }
        }
        let grower = NativeThread(name: "l1-grower") { @Sendable [self] in
            self.growUntilStopped()
        }
        self.threads.withLock { $0 = [evictor, grower] }
    }

    private func growUntilStopped() {
        var roundsToWait = 0
        repeat {
            if roundsToWait > 0 {
                roundsToWait -= 1
                continue
            }
            if !self.growToHeadStart() { roundsToWait = Self.roundsBetweenAttempts }
        } while !self.growthSignal.wait(milliseconds: Self.roundMilliseconds)
    }

    func growToHeadStart() -> Bool {
        while self.state.withLock({ $0.missingBytes }) > 0 {
            if !self.grow(atLeast: 0) { return false }
        }
        return true
    }
}
