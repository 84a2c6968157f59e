// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage
import Logging
import Synchronization
import Telemetry

extension SecondTier {
    /// Engines stored these objects; they are visible. Returns at once.
    func stored(_ handles: [ObjectHandle]) {
        guard self.isActive else { return }
        let items = zip(handles, self.cache.descriptions(of: handles)).compactMap { handle, object in
            object.map {
                StoreController.Item(identity: ObjectIdentity($0), handle: handle, byteCount: $0.byteCount)
            }
        }
        if !items.isEmpty { self.post(.stored(items)) }
    }

    func offer(_ items: [StoreController.Item], now: L2Instant) {
        let dropped = self.state.withLock { state in
            let before = state.stores.counters.dropped
            let tiers = state.tiers.filter { !$0.isDraining }.map(\.id)
            for item in items { state.stores.offer(item, to: tiers) }
            return state.stores.counters.dropped - before
        }
        if dropped > 0 { self.metrics.l2StoreDropped(objects: dropped) }
        self.startStores(now: now)
    }

    func startStores(now: L2Instant) {
        for tier in self.state.withLock({ $0.tiers }) {
            while self.state.withLock({ $0.stores.hasWork(for: tier.id, now: now) }), tier.mayPass(now: now) {
                guard let batch = self.state.withLock({ $0.stores.next(for: tier.id, now: now) }) else { break }
                guard self.whenBound(tier.id, batch.namespace, .store(batch)) else { continue }
                self.submitStore(batch)
            }
        }
    }

    func submitStore(_ batch: StoreController.Batch) {
        let failed = Array(repeating: StoreController.Ending.failed, count: batch.items.count)
        guard let tier = self.tier(batch.tier) else { return self.post(.batchEnded(batch, failed)) }
        let name = self.cache.namespace(batch.namespace)
        var objects: [L2Object] = []
        var indices: [Int] = []
        for (index, place) in self.cache.holdEach(batch.items.map(\.handle)).enumerated() {
            guard let place else { continue }
            let item = batch.items[index]
            objects.append(
                L2Object(key: item.identity.key(in: name), buffer: self.buffers.buffer(item.handle, place)))
            indices.append(index)
        }
        let gone = batch.items.count - objects.count
        if gone > 0 {
            self.metrics.l1ReadFailed(objects: gone, model: name.modelName, reason: .notFound, during: .store)
        }
        guard !objects.isEmpty else { return self.post(.batchEnded(batch, batch.items.map { _ in .gone })) }
        guard tier.request(now: self.clock.now()) else { return self.post(.batchEnded(batch, failed)) }
        let places = indices
        let started = self.clock.now()
        self.metrics.l2StoreSubmitted(objects: objects.count, salt: name.cacheSalt)
        let submission = tier.adapter.submit(
            L2Batch(.store(objects), deadline: started.advanced(milliseconds: self.settings.storeDeadlineMilliseconds))
            { [weak self] results in
                guard let self else { return }
                self.report(results, tier)
                var endings = Array(repeating: StoreController.Ending.gone, count: batch.items.count)
                var (stored, bytes) = (0, 0)
                for (position, result) in results.enumerated() where position < places.count {
                    endings[places[position]] = StoreController.Ending(result)
                    guard result.isSuccess else { continue }
                    stored += 1
                    if case .done(let byteCount) = result { bytes += byteCount }
                }
                self.metrics.l2StoreFinished(
                    tier: tier.name, objects: stored, bytes: bytes,
                    seconds: Self.seconds(from: started, to: self.clock.now()), salt: name.cacheSalt)
                self.post(.batchEnded(batch, endings))
            })
        if case .accepted = submission { return }
        self.metrics.l2Refused(tier: tier.name)
        self.report(.none, tier)
        self.post(.batchEnded(batch, failed))
    }

    /// Every tier has these objects.
    func complete(_ handles: [ObjectHandle]) {
        if self.settings.storePolicy == .skipFirstTier { self.cache.expel(handles) }
    }

    /// Tells the tier's breaker whether the medium answered: one item that was carried out, or honestly missed, is enough.
    ///
    /// - Parameter knowsLengths: False where several lengths of one object were asked for.
    func report(_ results: [L2Result], _ tier: Tier, knowsLengths: Bool = true) {
        for result in results {
            switch result {
            case .miss(.corrupted): self.metrics.l2Damaged(tier: tier.name, .checksum)
            case .miss(.wrongLength) where knowsLengths: self.metrics.l2Damaged(tier: tier.name, .length)
            case .miss(.notAnObject): self.metrics.l2Damaged(tier: tier.name, .kind)
            case .done, .present, .miss, .failed: break
            }
        }
        let failures = results.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }
        for failure in failures { self.metrics.l2Failed(tier: tier.name, reason: failure.label) }
        let isAnswering = failures.count < results.count || failures.contains(where: \.isAnAnswer)
        self.report(
            isAnswering ? .answers : failures.contains(where: \.isOfTheMedium) ? .fails : .none, tier)
    }

    /// Logs when a breaker opens or closes.
    func report(_ evidence: Tier.Evidence, _ tier: Tier) {
        guard tier.report(evidence, now: self.clock.now()) else { return }
        if tier.isAnswering {
            self.logger.info("L2 \(tier.name) answers again")
        } else {
            self.logger.warning("L2 \(tier.name) does not answer; it is left out for a while")
        }
    }
}

extension StoreController.Ending {
    init(_ result: L2Result) {
        switch result {
        case .done, .present: self = .stored
        case .miss, .failed(.full), .failed(.unspellable), .failed(.closed): self = .refused
        case .failed: self = .failed
        }
    }
}

extension L2Failure {
    /// Says that the medium does not do its work.
    var isOfTheMedium: Bool {
        switch self {
        case .expired, .unavailable, .injected, .system: true
        case .cancelled, .closed, .full, .unspellable: false
        }
    }

    /// Says that it does, although not for this object.
    var isAnAnswer: Bool {
        switch self {
        case .full, .unspellable: true
        case .expired, .unavailable, .injected, .system, .cancelled, .closed: false
        }
    }
}
