// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

extension L1Cache {
    /// Families removed under one lock; the lock is released in between.
    private static let evictionBatch = 512
    private static let roundMilliseconds = 1000
    /// Rounds of the growth thread between two attempts after a refusal.
    private static let roundsBetweenAttempts = 10

    /// Removes everything that nobody leases, holds or writes; with `force` everything.
    ///
    /// Returns the objects removed.
    ///
    /// Held and half-written bytes stay until their holders end, but cannot be found any more.
    package func clear(force: Bool) -> Int {
        let evicted = self.state.withLock { $0.table.clear(force: force) }
        if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
        return evicted.count
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
            try self.arena.grow(atLeast: byteCount) { added in
                guard added > 0 else { return }
                self.state.withLock { state in
                    state.table.space.extend(byteCount: added)
                    state.growthErrno = nil
                }
            }
            return true
        } catch {
            let (isNews, committed) = self.state.withLock { state in
                defer { state.growthErrno = error.errno }
                return (state.growthErrno == nil, state.table.space.totalBytes)
            }
            if isNews { self.listener?.growthFailed(errno: error.errno, committedBytes: committed) }
            return false
        }
    }

    func wakeGrowthIfShort() {
        let headStart = self.configuration.headStartBytes
        let isShort = self.state.withLock { $0.growthErrno == nil && $0.missingBytes(headStart: headStart / 2) > 0 }
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

    private func growToHeadStart() -> Bool {
        while self.state.withLock({ $0.missingBytes(headStart: self.configuration.headStartBytes) }) > 0 {
            if !self.grow(atLeast: 0) { return false }
        }
        return true
    }
}
