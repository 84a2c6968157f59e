// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage
import Logging
import NativeThreads
import Synchronization
import Telemetry

/// The tiers behind the first one: stores go to all of them, lookups that the first tier cannot satisfy ask all of them.
///
/// Any thread may call any method; none but ``close()``, ``remove(_:milliseconds:)`` and ``perform(_:on:)`` waits. All
/// work happens in turns (``pump()``) on one thread of its own: events come in, the controllers decide, actions are
/// carried out outside the lock. Lock order: engine → this one's inbox; nothing foreign runs under either lock here.
package final class SecondTier: Sendable {
    /// What ``state`` guards.
    struct State {
        var tiers: [Tier] = []
        var stores: StoreController
        var prefetches: PrefetchController
        var bindings = TierBindings()
        var deferred: [TierBindings.Key: [DeferredWork]] = [:]
        var requests: [PrefetchID: PrefetchRequest] = [:]
        var tickets: [PrefetchID: WeakTicket] = [:]
        /// By step of a prefetch.
        var tasks: [UInt64: RunningTask] = [:]
        var warmings = PrefetchWarmings()
        var quotas: [String: Int] = [:]
        var evicting: Set<TierID> = []
        var nextEviction = L2Instant(nanoseconds: 0)
        var lastTier = -1
        var lastPrefetch: UInt64 = 0
    }

    struct WeakTicket: Sendable {
        weak let ticket: PrefetchTicket?
    }

    struct RunningTask: Sendable {
        let tier: TierID
        let task: L2TaskID
        let loadedBytes: Int
    }

    private struct Delivery: Sendable {
        let finished: @Sendable (PrefetchOutcome) -> Void
    }

    package let settings: SecondTierSettings
    let cache: L1Cache
    let buffers: ArenaBuffers
    let clock: any L2Clock
    let metrics: CacheMetrics
    let logger: Logger
    /// What the manifests say beside model and layout.
    let hashAlgorithm: String
    let hashSeed: String
    let state: Mutex<State>
    private let inbox = Mutex<[SecondTierEvent]>([])
    private let delivery = Mutex<Delivery?>(nil)
    private let activeTiers = Atomic<Int>(0)
    private let signal = StopSignal()
    let removalsEnd = StopSignal()
    private let thread = Mutex<NativeThread?>(nil)
    private let isEnding = Atomic<Bool>(false)
    private let isClosing = Atomic<Bool>(false)

    init(
        settings: SecondTierSettings, cache: L1Cache, clock: any L2Clock, hash: (algorithm: String, seed: String),
        metrics: CacheMetrics, logger: Logger
    ) {
        self.settings = settings
        self.cache = cache
        self.buffers = ArenaBuffers(cache: cache)
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.hashAlgorithm = hash.algorithm
        self.hashSeed = hash.seed
        self.state = Mutex(
            State(
                stores: StoreController(limits: settings.stores),
                prefetches: PrefetchController(limits: settings.prefetches)))
    }

    /// Says who takes finished prefetches, and releases their holds. Once, before the first lookup.
    func attach(finished: @escaping @Sendable (PrefetchOutcome) -> Void) {
        self.delivery.withLock { $0 = Delivery(finished: finished) }
    }

    /// True when there is a tier that takes stores. One atomic read.
    var isActive: Bool { self.activeTiers.load(ordering: .relaxed) > 0 }

    /// True when there is a tier to ask. At most two atomic reads.
    var isAsked: Bool { self.isActive && !self.isEnding.load(ordering: .relaxed) }

    func countActive() {
        let count = self.state.withLock { state in state.tiers.count { !$0.isDraining } }
        self.activeTiers.store(count, ordering: .relaxed)
    }

    func tier(_ id: TierID) -> Tier? { self.state.withLock { state in state.tiers.first { $0.id == id } } }

    // MARK: Turns

    func post(_ event: SecondTierEvent) {
        self.inbox.withLock { $0.append(event) }
        self.signal.poke()
    }

    /// Starts the thread with the first tier.
    func startThread() {
        guard self.settings.runsThreads, !self.isClosing.load(ordering: .relaxed) else { return }
        self.thread.withLock { thread in
            guard thread == nil else { return }
            thread = NativeThread(name: "l2-controller") { @Sendable [self] in
                while !self.signal.wait(milliseconds: self.pauseMilliseconds) { self.pump() }
            }
        }
    }

    /// A few milliseconds while something has a deadline, else long enough to cost nothing.
    private var pauseMilliseconds: Int {
        self.state.withLock { state in
            if !state.prefetches.isIdle || state.stores.inFlightCount > 0 || !state.evicting.isEmpty { return 5 }
            return state.stores.isIdle ? 200 : 50
        }
    }

    /// Takes up what has happened and what is due, until nothing is left to do. One thread at a time.
    package func pump() {
        let now = self.clock.now()
        for tier in self.state.withLock({ $0.tiers }) { tier.adapter.expireOverdue() }
        self.expireWaiters(now: now)
        // What adapters have just reported comes before the deadlines that it met.
        self.takeEvents(now: now)
        self.perform(self.state.withLock { $0.prefetches.tick(now: now) })
        self.takeEvents(now: now)
        self.evictIfDue(now: now)
        self.startStores(now: now)
        self.takeEvents(now: now)
    }

    private func takeEvents(now: L2Instant) {
        while true {
            let events = self.inbox.withLock { inbox in
                defer { inbox = [] }
                return inbox
            }
            guard !events.isEmpty else { return }
            for event in events { self.take(event, now: now) }
        }
    }

    private func take(_ event: SecondTierEvent, now: L2Instant) {
        switch event {
        case .requested(let request):
            self.decide { state in
                state.requests[request.id] = request
                return state.prefetches.submit(request, now: now)
            }
        case .abandoned(let id, let waiters):
            self.decide { $0.prefetches.cancel(id) }
            self.state.withLock { $0.tickets[id] = nil }
            for waiter in waiters { waiter.reply(0) }
        case .surveyed(let id, let survey, let tiers):
            self.decide { $0.prefetches.surveyed(id, survey, tiers: tiers, now: now) }
        case .looked(let step, let lengths):
            self.decide { state in
                state.tasks[step.number] = nil
                return state.prefetches.looked(step, lengths: lengths, now: now)
            }
        case .reserved(let id, let loads, let grants):
            self.decide { $0.prefetches.reserved(id, loads, grants: grants, now: now) }
        case .loaded(let step, let isLoaded):
            self.decide { state in
                state.tasks[step.number] = nil
                return state.prefetches.loaded(step, isLoaded: isLoaded, now: now)
            }
        case .stored(let items): self.offer(items, now: now)
        case .batchEnded(let batch, let endings):
            self.complete(self.state.withLock { $0.stores.finish(batch, endings: endings, now: now) })
            self.startStores(now: now)
        case .bound(let key, let binding): self.bound(key, binding, now: now)
        case .ended: self.decide { $0.prefetches.endAll() }
        case .evicted(let tier): self.state.withLock { _ = $0.evicting.remove(tier) }
        }
    }

    private func decide(_ body: (inout State) -> [PrefetchController.Action]) {
        self.perform(self.state.withLock { body(&$0) })
    }

    private func expireWaiters(now: L2Instant) {
        let tickets = self.state.withLock { $0.tickets.values.compactMap(\.ticket) }
        for ticket in tickets {
            for waiter in ticket.takeExpired(now: now) { waiter.reply(nil) }
        }
    }

    func deliver(_ outcome: PrefetchOutcome) { self.delivery.withLock { $0 }?.finished(outcome) }

    // MARK: End

    /// Ends every prefetch with what is there; nobody waits any more, and no lookup asks. Waits a moment for it.
    package func endPrefetches() {
        self.isEnding.store(true, ordering: .relaxed)
        guard self.state.withLock({ !$0.tiers.isEmpty }) else { return }
        self.post(.ended)
        let pause = StopSignal()
        for _ in 0..<500 where self.state.withLock({ !$0.prefetches.isIdle }) {
            guard self.settings.runsThreads else { return self.pump() }
            _ = pause.wait(milliseconds: 2)
        }
    }

    /// Ends prefetches, gives queued stores some time, then closes the adapters. Blocks.
    ///
    /// - Returns: False when a transfer still touches the first tier's memory.
    package func close() -> Bool {
        self.endPrefetches()
        self.stopThread()
        self.pump()
        let pause = StopSignal()
        let deadline = self.clock.now().advanced(milliseconds: UInt64(max(0, self.settings.drainMilliseconds)))
        while self.settings.runsThreads, self.clock.now() < deadline, self.hasReachableStores() {
            self.pump()
            _ = pause.wait(milliseconds: 2)
        }
        self.activeTiers.store(0, ordering: .relaxed)
        var isDrained = true
        for tier in self.state.withLock({ $0.tiers }) {
            isDrained = tier.close(milliseconds: self.settings.closeMilliseconds) && isDrained
        }
        self.pump()
        let left = self.state.withLock { $0.stores.trackedObjects }
        if left > 0 { self.logger.warning("L2: \(left) stored objects were not handed to every tier before the end") }
        return isDrained
    }

    /// Stores are left that a tier would take.
    private func hasReachableStores() -> Bool {
        let tiers = self.state.withLock { $0.tiers }
        return tiers.contains { tier in
            tier.isAnswering
                && self.state.withLock { state in
                    state.stores.queuedObjects(of: tier.id) + state.stores.batchesInFlight(of: tier.id) > 0
                }
        }
    }

    private func stopThread() {
        guard !self.isClosing.exchange(true, ordering: .relaxed) else { return }
        self.signal.raise()
        self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }
}
