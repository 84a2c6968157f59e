// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage
import Logging
import Synchronization
import Telemetry

extension SecondTier {
    /// True when the work may be done now. Else it is done when the medium's manifest is known, or ended here.
    func whenBound(_ tier: TierID, _ namespace: NamespaceID, _ work: DeferredWork) -> Bool {
        let name = self.cache.namespace(namespace)
        let key = TierBindings.Key(tier: tier, modelName: name.modelName, layoutSignature: name.layoutSignature)
        let now = self.clock.now()
        let (state, asks) = self.state.withLock { state in
            let known = state.bindings.state(of: key, now: now)
            if known.state == .pending { state.deferred[key, default: []].append(work) }
            return known
        }
        switch state {
        case .agrees: return true
        case .conflicts, .failed: self.refuse(work, isFinal: state == .conflicts)
        case .pending: if asks { self.ask(key) }
        }
        return false
    }

    private func ask(_ key: TierBindings.Key) {
        guard let tier = self.tier(key.tier) else { return self.post(.bound(key, .failed(.closed))) }
        let manifest = L2NamespaceManifest(
            modelName: key.modelName, layoutSignature: key.layoutSignature, hashAlgorithm: self.hashAlgorithm,
            hashSeed: self.hashSeed)
        tier.bind(manifest) { [weak self] in self?.post(.bound(key, $0)) }
    }

    func bound(_ key: TierBindings.Key, _ binding: L2Binding, now: L2Instant) {
        let (meaning, work, tier) = self.state.withLock { state in
            (
                state.bindings.answered(key, binding, now: now), state.deferred.removeValue(forKey: key) ?? [],
                state.tiers.first { $0.id == key.tier }
            )
        }
        if meaning == .conflicts {
            self.logger.warning(
                """
                L2 \(tier?.name ?? "tier") holds model \(key.modelName) in another layout than \
                '\(key.layoutSignature)'; it is neither read nor written there
                """)
        }
        if case .failed(let failure) = binding, let tier {
            self.metrics.l2Failed(tier: tier.name, reason: failure.label)
            self.report(.fails, tier)
        }
        for one in work {
            switch one {
            case .look(let step) where meaning == .agrees: self.submitLook(step)
            case .store(let batch) where meaning == .agrees: self.submitStore(batch)
            case .look, .store: self.refuse(one, isFinal: meaning == .conflicts)
            }
        }
    }

    private func refuse(_ work: DeferredWork, isFinal: Bool) {
        switch work {
        case .look(let step): self.post(.looked(step, lengths: Array(repeating: 0, count: step.cells.count)))
        case .store(let batch):
            self.post(.batchEnded(batch, batch.items.map { _ in isFinal ? .refused : .failed }))
        }
    }
}
