// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage
import Synchronization
import Telemetry

extension SecondTier {
    /// A claim on a prefetch, for a lookup's record. It is dropped when nobody holds the ticket any more.
    func ticket(requestID: String) -> PrefetchTicket {
        let ticket = PrefetchTicket(id: self.nextPrefetch(), requestID: requestID, owner: self)
        self.state.withLock { $0.tickets[ticket.id] = WeakTicket(ticket: ticket) }
        return ticket
    }

    /// Starts it. The lookup's record must be where the result will be brought: it may be there at once.
    func begin(_ id: PrefetchID, _ query: PrefixQuery, byteCounts: [[Int]]) {
        self.post(
            .requested(
                PrefetchRequest(
                    id: id, query: query, byteCounts: byteCounts, mode: .prefix,
                    retains: self.settings.prefetchPolicy == .retain)))
    }

    func nextPrefetch() -> PrefetchID {
        self.state.withLock { state in
            state.lastPrefetch += 1
            return PrefetchID(state.lastPrefetch)
        }
    }

    /// A ticket's last reference is gone. Callable under the engine's lock.
    func abandoned(_ id: PrefetchID, _ waiters: [PrefetchTicket.Waiter]) { self.post(.abandoned(id, waiters)) }

    // MARK: Actions

    func perform(_ actions: [PrefetchController.Action]) {
        for action in actions { self.perform(action) }
    }

    private func perform(_ action: PrefetchController.Action) {
        switch action {
        case .survey(let id, let old):
            guard let request = self.request(id) else { return self.cache.releaseHolds(old) }
            let survey = self.cache.survey(request.query)
            self.cache.releaseHolds(old)
            self.post(.surveyed(id, survey, self.tiersToAsk()))
        case .look(let step): self.look(step)
        case .reserve(let id, let loads): self.reserve(id, loads)
        case .load(let step): self.load(step)
        case .cancel(let step):
            guard let running = self.state.withLock({ $0.tasks.removeValue(forKey: step.number) }) else { return }
            self.tier(running.tier)?.adapter.cancel(running.task)
        case .publish(let handles, let isTemporary):
            self.cache.publish(handles, isTemporary: isTemporary)
        case .abandon(let handles):
            self.cache.abort(handles)
            self.cache.releaseHolds(handles)
        case .finish(let outcome):
            self.deliver(outcome)
            self.state.withLock { state in
                state.requests[outcome.id] = nil
                state.tickets[outcome.id] = nil
                state.warmings.finish(outcome)
            }
        case .drop(let id, let holds):
            self.cache.releaseHolds(holds)
            self.state.withLock { $0.requests[id] = nil }
        }
    }

    private func request(_ id: PrefetchID) -> PrefetchRequest? { self.state.withLock { $0.requests[id] } }

    private func tiersToAsk() -> [TierID] {
        let now = self.clock.now()
        return self.state.withLock { $0.tiers }.filter { !$0.isDraining && $0.mayPass(now: now) }.map(\.id)
    }

    // MARK: Questions

    private func look(_ step: PrefetchStep) {
        guard let request = self.request(step.job), self.whenBound(step.tier, request.query.namespace, .look(step))
        else { return }
        self.submitLook(step)
    }

    func submitLook(_ step: PrefetchStep) {
        let nothing = Array(repeating: 0, count: step.cells.count)
        guard let request = self.request(step.job), let tier = self.tier(step.tier),
            tier.request(now: self.clock.now())
        else { return self.post(.looked(step, lengths: nothing)) }
        let name = self.cache.namespace(request.query.namespace)
        // Ranks may differ in length, as pipeline stages do: each length that a worker has is tried.
        var probes: [L2Probe] = []
        var places: [Int] = []
        for (index, cell) in step.cells.enumerated() {
            let identity = request.identity(of: cell)
            let key = identity.key(in: name)
            for length in request.byteCounts.indices.contains(identity.group) ? request.byteCounts[identity.group] : []
            {
                probes.append(L2Probe(key: key, byteCount: length))
                places.append(index)
            }
        }
        self.metrics.l2LookupSubmitted(objects: step.cells.count, salt: name.cacheSalt)
        let (asked, indices, started) = (probes, places, self.clock.now())
        let submission = tier.adapter.submit(
            L2Batch(.lookup(probes), deadline: step.deadline) { [weak self] results in
                guard let self else { return }
                self.report(results, tier, knowsLengths: Set(indices).count == indices.count)
                self.metrics.l2LookupFinished(
                    tier: tier.name, seconds: Self.seconds(from: started, to: self.clock.now()))
                var lengths = nothing
                for (position, result) in results.enumerated() where result.isSuccess && position < asked.count {
                    lengths[indices[position]] = asked[position].byteCount
                }
                self.post(.looked(step, lengths: lengths))
            })
        self.note(submission, step, tier) { self.post(.looked(step, lengths: nothing)) }
    }

    // MARK: Loads

    /// One row and length at a time, in order of the chunks.
    private func reserve(_ id: PrefetchID, _ loads: [PrefetchGrid.Load]) {
        guard let request = self.request(id) else {
            return self.post(.reserved(id, loads, loads.map { _ in .outOfMemory }))
        }
        struct Part: Hashable {
            let row: Int
            let byteCount: Int
        }
        let chunks = request.query.hashes.count
        var grants: [PrefetchController.Grant] = Array(repeating: .outOfMemory, count: loads.count)
        var parts: [Part: [Int]] = [:]
        var order: [Part] = []
        for (index, load) in loads.enumerated() {
            let part = Part(row: load.cell / chunks, byteCount: load.byteCount)
            if parts[part] == nil { order.append(part) }
            parts[part, default: []].append(index)
        }
        for part in order {
            let indices = parts[part] ?? []
            let write = WriteQuery(
                namespace: request.query.namespace, worldSize: request.query.worldSize,
                rank: part.row % request.query.worldSize, group: part.row / request.query.worldSize,
                hashes: indices.map { request.query.hashes[loads[$0].cell % chunks] }, byteCount: part.byteCount,
                purpose: .prefetch)
            for (index, grant) in zip(indices, self.cache.reserve(write)) { grants[index] = self.held(grant) }
        }
        let model = self.cache.namespace(request.query.namespace).modelName
        self.metrics.l2PrefetchFailed(
            objects: grants.count { $0 == .outOfMemory }, model: model, reason: .outOfMemory)
        self.metrics.l2PrefetchFailed(objects: grants.count { $0 == .contended }, model: model, reason: .contended)
        self.post(.reserved(id, loads, grants))
    }

    private func held(_ grant: WriteGrant) -> PrefetchController.Grant {
        switch grant {
        case .granted(let handle, _): self.cache.hold([handle]) == nil ? .outOfMemory : .granted(handle)
        case .alreadyResident: .resident
        case .contended: .contended
        case .outOfMemory: .outOfMemory
        }
    }

    private func load(_ step: PrefetchStep) {
        let nothing = Array(repeating: false, count: step.cells.count)
        guard let request = self.request(step.job), let tier = self.tier(step.tier),
            tier.request(now: self.clock.now())
        else { return self.post(.loaded(step, nothing)) }
        let name = self.cache.namespace(request.query.namespace)
        var objects: [L2Object] = []
        var places: [Int] = []
        for (index, cell) in step.cells.enumerated() {
            guard let place = self.cache.hold([step.handles[index]])?.first else { continue }
            objects.append(
                L2Object(
                    key: request.identity(of: cell).key(in: name),
                    buffer: self.buffers.buffer(step.handles[index], place)))
            places.append(index)
        }
        let started = self.clock.now()
        self.metrics.l2LoadSubmitted(objects: objects.count, salt: name.cacheSalt)
        let (lengths, indices) = (objects.map(\.buffer.byteCount), places)
        let bytes = lengths.reduce(0, +)
        let submission = tier.adapter.submit(
            L2Batch(.load(objects), deadline: step.deadline) { [weak self] results in
                guard let self else { return }
                self.report(results, tier)
                var isLoaded = nothing
                var loadedBytes = 0
                for (position, result) in results.enumerated() where position < indices.count {
                    guard case .done(lengths[position]) = result else { continue }
                    isLoaded[indices[position]] = true
                    loadedBytes += lengths[position]
                }
                let seconds = Self.seconds(from: started, to: self.clock.now())
                self.metrics.l2LoadFinished(
                    tier: tier.name, objects: isLoaded.count(where: \.self), bytes: loadedBytes, seconds: seconds,
                    salt: name.cacheSalt)
                self.metrics.l2PrefetchFailed(
                    objects: isLoaded.count { !$0 }, model: name.modelName, reason: .notFound)
                self.post(.loaded(step, isLoaded))
            })
        self.note(submission, step, tier, bytes: bytes) { self.post(.loaded(step, nothing)) }
    }

    private func note(
        _ submission: L2Submission, _ step: PrefetchStep, _ tier: Tier, bytes: Int = 0, refused: () -> Void
    ) {
        switch submission {
        case .accepted(let task):
            self.state.withLock {
                $0.tasks[step.number] = RunningTask(tier: tier.id, task: task, loadedBytes: bytes)
            }
        case .busy, .closed:
            self.metrics.l2Refused(tier: tier.name)
            self.report(.none, tier)
            refused()
        }
    }

    static func seconds(from start: L2Instant, to end: L2Instant) -> Double {
        end <= start ? 0 : Double(end.nanoseconds - start.nanoseconds) * 1e-9
    }
}
