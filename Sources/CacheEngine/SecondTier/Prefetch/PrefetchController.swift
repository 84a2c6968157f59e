// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
package import L1Cache
package import L2Storage

/// Takes lookups that the first tier cannot satisfy through the tiers behind it. Decides only; the owner acts.
///
///     queued ──> surveying ──> looking ──> reserving ──> loading ──> finished
///                    ^                        ^             │
///                    │                        └── a tier failed: the next one that has it
///                    └── lingering: another prefetch loads what this one needs
///
/// Every phase ends at the request's deadline with what is there by then. No clock, lock or I/O inside.
package struct PrefetchController: Sendable {
    package struct Limits: Sendable, Equatable {
        package var inFlight = 8
        package var queued = 4096
        /// From the lookup to its answer.
        package var deadlineMilliseconds: UInt64 = 5000
        /// Past a deadline the adapter itself ends its tasks and reports what has arrived; this is how long it may take.
        package var graceMilliseconds: UInt64 = 100
        /// Between two looks at what another prefetch loads.
        package var lingerMilliseconds: UInt64 = 5

        package init() {}
    }

    package enum Action: Sendable, Equatable {
        /// Look at the first tier, holding what is there, and only then end these holds. Answer: ``surveyed``.
        case survey(PrefetchID, releasing: [ObjectHandle])
        /// Ask a tier. Answer: ``looked``.
        case look(PrefetchStep)
        /// Reserve room and hold it. Answer: ``reserved``.
        case reserve(PrefetchID, [PrefetchGrid.Load])
        /// Answer: ``loaded``.
        case load(PrefetchStep)
        /// The step's answer is not waited for any more.
        case cancel(PrefetchStep)
        case publish([ObjectHandle], isTemporary: Bool)
        /// Abort reservations and end one hold on each.
        case abandon([ObjectHandle])
        case finish(PrefetchOutcome)
        /// Nobody wants the result.
        case drop(PrefetchID, holds: [ObjectHandle])
    }

    /// How one reservation ended.
    package enum Grant: Sendable, Equatable {
        /// Reserved and held once.
        case granted(ObjectHandle)
        case resident, contended, outOfMemory
    }

    package struct Counters: Sendable, Equatable {
        package var outOfMemory = 0
        package var contended = 0
        package var notFound = 0
        package var overdue = 0
        package var cancelled = 0
        package var rejected = 0
    }

    package let limits: Limits
    package private(set) var counters = Counters()
    var jobs: [PrefetchID: Job] = [:]
    private var queue: [PrefetchID] = []
    private var running = 0
    private var lastStep: UInt64 = 0
    /// What prefetches are loading right now.
    private var loading: Set<ObjectIdentity> = []

    enum Phase: Sendable, Equatable {
        case queued, surveying, looking, reserving, loading
        case lingering(until: L2Instant)
    }

    struct Staged: Sendable {
        let load: PrefetchGrid.Load
        let handle: ObjectHandle
        var isIssued = false
    }

    struct Job: Sendable {
        let request: PrefetchRequest
        let deadline: L2Instant
        /// Half of the time that was left when the tiers were asked.
        var lookDeadline = L2Instant(nanoseconds: 0)
        var phase = Phase.queued
        var grid: PrefetchGrid
        var holds: [ObjectHandle] = []
        var tiers: [TierID] = []
        var steps: [UInt64: PrefetchStep] = [:]
        /// By cell.
        var staged: [Int: Staged] = [:]
        var loadedObjects = 0
    }

    package init(limits: Limits) { self.limits = limits }

    // MARK: Figures

    package var inFlightCount: Int { self.running }
    package var queuedCount: Int { self.queue.count }
    package var isIdle: Bool { self.jobs.isEmpty }
    /// The earliest deadline of those that are not over.
    package var firstDeadline: L2Instant? { self.jobs.values.map(\.deadline).min() }

    package func count(_ isMeant: (Bool) -> Bool) -> Int {
        self.jobs.values.count { $0.phase != .queued && isMeant($0.phase == .loading) }
    }

    // MARK: Requests

    package mutating func submit(_ request: PrefetchRequest, now: L2Instant) -> [Action] {
        let job = Job(
            request: request, deadline: now.advanced(milliseconds: self.limits.deadlineMilliseconds),
            grid: PrefetchGrid(windows: request.rowWindows, chunkCount: request.query.hashes.count))
        guard self.queue.count < self.limits.queued else {
            self.counters.rejected += 1
            return [.finish(self.outcome(job, isOverdue: false))]
        }
        self.jobs[request.id] = job
        self.queue.append(request.id)
        return self.startQueued()
    }

    /// The one who asked is gone.
    package mutating func cancel(_ id: PrefetchID) -> [Action] {
        guard let job = self.jobs[id] else { return [] }
        self.counters.cancelled += 1
        return self.leave(job) + [.drop(id, holds: job.holds)] + self.startQueued()
    }

    /// Ends everything, for the shutdown.
    package mutating func endAll() -> [Action] {
        var actions: [Action] = []
        for id in self.jobs.keys.sorted() {
            guard let job = self.jobs[id] else { continue }
            actions += self.leave(job) + [.finish(self.outcome(job, isOverdue: true))]
        }
        return actions
    }

    // MARK: Answers

    package mutating func surveyed(
        _ id: PrefetchID, _ survey: PrefixSurvey, tiers: [TierID], now: L2Instant
    ) -> [Action] {
        guard var job = self.jobs[id], job.phase == .surveying else { return [.drop(id, holds: survey.holds)] }
        job.holds = survey.holds
        job.tiers = tiers
        for (cell, state) in survey.cells.enumerated() where cell < job.grid.cells.count {
            switch state {
            case .resident: job.grid[cell] = .resident
            case .absent: job.grid[cell] = .absent
            case .staged: self.markStaged(cell, &job)
            }
        }
        let unprobed = tiers.isEmpty || now >= job.deadline ? [] : job.grid.takeUnprobed()
        guard !unprobed.isEmpty else { return self.advance(job, now: now) }
        job.phase = .looking
        let left = job.deadline.nanoseconds - now.nanoseconds
        job.lookDeadline = L2Instant(nanoseconds: now.nanoseconds + left / 2)
        var actions: [Action] = []
        for tier in tiers {
            let step = self.step(job, tier, unprobed, deadline: job.lookDeadline)
            job.steps[step.number] = step
            actions.append(.look(step))
        }
        self.jobs[id] = job
        return actions
    }

    /// - Parameter lengths: Of the step's cells, 0 for what the tier does not have.
    package mutating func looked(_ step: PrefetchStep, lengths: [Int], now: L2Instant) -> [Action] {
        guard var job = self.jobs[step.job], job.steps.removeValue(forKey: step.number) != nil else { return [] }
        job.grid.offer(step.tier, cells: step.cells, lengths: lengths)
        guard job.steps.isEmpty else {
            self.jobs[step.job] = job
            return []
        }
        return self.advance(job, now: now)
    }

    /// - Parameter grants: One a load, in order.
    package mutating func reserved(
        _ id: PrefetchID, _ loads: [PrefetchGrid.Load], grants: [Grant], now: L2Instant
    ) -> [Action] {
        guard var job = self.jobs[id], job.phase == .reserving else {
            return [.abandon(grants.compactMap { if case .granted(let handle) = $0 { handle } else { nil } })]
        }
        for (load, grant) in zip(loads, grants) {
            switch grant {
            case .granted(let handle):
                job.grid[load.cell] = .loading
                job.staged[load.cell] = Staged(load: load, handle: handle)
                self.loading.insert(job.request.identity(of: load.cell))
            case .resident: job.grid[load.cell] = .resident
            case .contended:
                self.counters.contended += 1
                self.markStaged(load.cell, &job)
                if job.grid[load.cell] == .absent { job.grid.withdrawAll(cell: load.cell) }
            case .outOfMemory:
                self.counters.outOfMemory += 1
                job.grid.withdrawAll(cell: load.cell)
            }
        }
        return self.advance(job, now: now)
    }

    /// - Parameter isLoaded: For each of the step's cells whether its bytes are in place.
    package mutating func loaded(_ step: PrefetchStep, isLoaded: [Bool], now: L2Instant) -> [Action] {
        guard var job = self.jobs[step.job], job.steps.removeValue(forKey: step.number) != nil else { return [] }
        let actions = self.settle(step, isLoaded: isLoaded, &job)
        guard job.steps.isEmpty else {
            self.jobs[step.job] = job
            return actions
        }
        return actions + self.advance(job, now: now)
    }

    /// Ends what is overdue and looks again where others may have finished.
    package mutating func tick(now: L2Instant) -> [Action] {
        var actions: [Action] = []
        for id in self.jobs.keys.sorted() {
            guard let job = self.jobs[id] else { continue }
            actions += self.tick(job, now: now)
        }
        return actions
    }

    private mutating func tick(_ job: Job, now: L2Instant) -> [Action] {
        var job = job
        let grace = self.limits.graceMilliseconds
        switch job.phase {
        case .queued:
            return now >= job.deadline ? self.finish(job, isOverdue: true) : []
        case .looking where now >= job.lookDeadline.advanced(milliseconds: grace):
            let late = job.steps.values.sorted { $0.number < $1.number }
            job.steps = [:]
            return late.map { .cancel($0) } + self.advance(job, now: now)
        case .loading where now >= job.deadline.advanced(milliseconds: grace):
            return self.finish(job, isOverdue: true)
        case .lingering(let until) where now >= until || now >= job.deadline:
            guard now < job.deadline else { return self.finish(job, isOverdue: true) }
            return self.survey(job)
        // Surveys and reservations are made at once.
        case .surveying, .reserving, .looking, .loading, .lingering: return []
        }
    }

    // MARK: Parts

    private mutating func startQueued() -> [Action] {
        var actions: [Action] = []
        while self.running < self.limits.inFlight, let id = self.queue.first {
            self.queue.removeFirst()
            guard let job = self.jobs[id] else { continue }
            self.running += 1
            actions += self.survey(job)
        }
        return actions
    }

    private mutating func survey(_ job: Job) -> [Action] {
        var job = job
        let holds = job.holds
        job.holds = []
        job.phase = .surveying
        self.jobs[job.request.id] = job
        return [.survey(job.request.id, releasing: holds)]
    }

    /// What an engine is storing is not waited for: only what another prefetch loads.
    private mutating func markStaged(_ cell: Int, _ job: inout Job) {
        let isAwaited = self.loading.contains(job.request.identity(of: cell))
        job.grid[cell] = isAwaited ? .awaited : .absent
        if !isAwaited { job.grid.skipProbe(cell) }
    }

    private mutating func step(_ job: Job, _ tier: TierID, _ cells: [Int], deadline: L2Instant) -> PrefetchStep {
        self.lastStep += 1
        return PrefetchStep(
            job: job.request.id, number: self.lastStep, tier: tier, cells: cells, deadline: deadline)
    }

    /// Does the next thing for the longest prefix that can still be had.
    private mutating func advance(_ job: Job, now: L2Instant) -> [Action] {
        guard now < job.deadline else { return self.finish(job, isOverdue: true) }
        var job = job
        let plan = job.grid.plan(job.request.mode)
        if !plan.loads.isEmpty {
            job.phase = .reserving
            self.jobs[job.request.id] = job
            return [.reserve(job.request.id, plan.loads)]
        }
        var actions = self.trim(&job, to: plan)
        let fresh = job.staged.values.filter { !$0.isIssued }.sorted { $0.load.cell < $1.load.cell }
        if !fresh.isEmpty {
            job.phase = .loading
            actions += self.issue(fresh, &job)
            self.jobs[job.request.id] = job
            return actions
        }
        guard plan.awaits else { return actions + self.finish(job, isOverdue: false) }
        job.phase = .lingering(until: now.advanced(milliseconds: self.limits.lingerMilliseconds))
        self.jobs[job.request.id] = job
        return actions
    }

    /// Gives room back that the prefix does not need after all.
    private mutating func trim(_ job: inout Job, to plan: PrefetchGrid.Plan) -> [Action] {
        let needed = Set(plan.needed)
        let surplus = job.staged.values.filter { !$0.isIssued && !needed.contains($0.load.cell) }
        guard !surplus.isEmpty else { return [] }
        for staged in surplus {
            job.staged[staged.load.cell] = nil
            job.grid[staged.load.cell] = .absent
            self.loading.remove(job.request.identity(of: staged.load.cell))
        }
        return [.abandon(surplus.map(\.handle).sorted { $0.index < $1.index })]
    }

    private mutating func issue(_ fresh: [Staged], _ job: inout Job) -> [Action] {
        var actions: [Action] = []
        for tier in Set(fresh.map(\.load.tier)).sorted() {
            let part = fresh.filter { $0.load.tier == tier }
            var step = self.step(job, tier, part.map(\.load.cell), deadline: job.deadline)
            step.byteCounts = part.map(\.load.byteCount)
            step.handles = part.map(\.handle)
            job.steps[step.number] = step
            for staged in part { job.staged[staged.load.cell]?.isIssued = true }
            actions.append(.load(step))
        }
        return actions
    }

    private mutating func settle(_ step: PrefetchStep, isLoaded: [Bool], _ job: inout Job) -> [Action] {
        var (published, abandoned): ([ObjectHandle], [ObjectHandle]) = ([], [])
        for (index, cell) in step.cells.enumerated() {
            guard let staged = job.staged.removeValue(forKey: cell) else { continue }
            self.loading.remove(job.request.identity(of: cell))
            if index < isLoaded.count, isLoaded[index] {
                job.grid[cell] = .resident
                job.loadedObjects += 1
                job.holds.append(staged.handle)
                published.append(staged.handle)
            } else {
                self.counters.notFound += 1
                job.grid[cell] = .absent
                job.grid.withdraw(step.tier, cell: cell)
                abandoned.append(staged.handle)
            }
        }
        var actions: [Action] = []
        if !published.isEmpty { actions.append(.publish(published, isTemporary: !job.request.retains)) }
        if !abandoned.isEmpty { actions.append(.abandon(abandoned)) }
        return actions
    }

    private mutating func finish(_ job: Job, isOverdue: Bool) -> [Action] {
        if isOverdue { self.counters.overdue += 1 }
        let left = self.leave(job)
        return left + [.finish(self.outcome(job, isOverdue: isOverdue))] + self.startQueued()
    }

    /// Takes a job out; what it was loading is given up.
    private mutating func leave(_ job: Job) -> [Action] {
        self.jobs[job.request.id] = nil
        if job.phase == .queued {
            self.queue.removeAll { $0 == job.request.id }
        } else {
            self.running -= 1
        }
        for cell in job.staged.keys { self.loading.remove(job.request.identity(of: cell)) }
        let handles = job.staged.values.sorted { $0.load.cell < $1.load.cell }.map(\.handle)
        let steps = job.steps.values.sorted { $0.number < $1.number }
        return steps.map { .cancel($0) } + (handles.isEmpty ? [] : [.abandon(handles)])
    }

    private func outcome(_ job: Job, isOverdue: Bool) -> PrefetchOutcome {
        PrefetchOutcome(
            id: job.request.id, holds: job.holds, loadedObjects: job.loadedObjects,
            residentObjects: job.grid.cells.count { $0 == .resident }, totalObjects: job.grid.cells.count,
            isOverdue: isOverdue)
    }
}
