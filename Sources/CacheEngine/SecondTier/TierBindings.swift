// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage

/// Which tiers hold which models in our layout. Decides only.
struct TierBindings: Sendable {
    /// A model in one layout, on one tier.
    struct Key: Hashable, Sendable {
        let tier: TierID
        let modelName: String
        let layoutSignature: String
    }

    enum State: Sendable, Equatable {
        case agrees
        case conflicts
        /// Asked; the answer comes.
        case pending
        /// Nobody answered; asked again from this moment on.
        case failed(until: L2Instant)
    }

    private struct Model: Hashable {
        let tier: TierID
        let name: String
    }

    static let retryMilliseconds: UInt64 = 1000
    /// Models and layouts come from clients.
    static let limit = 4096

    private var states: [Key: State] = [:]
    /// Layouts on media without manifests: the first one seen.
    private var firstLayouts: [Model: String] = [:]

    /// What is known, and whether the medium must be asked now.
    mutating func state(of key: Key, now: L2Instant) -> (state: State, asks: Bool) {
        switch self.states[key] {
        case .failed(let until)? where until <= now: break
        case let known?: return (known, false)
        case nil:
            guard self.states.count < Self.limit else { return (.conflicts, false) }
        }
        self.states[key] = .pending
        return (.pending, true)
    }

    /// Notes the medium's answer. Returns what it means.
    mutating func answered(_ key: Key, _ binding: L2Binding, now: L2Instant) -> State {
        let state: State =
            switch binding {
            case .agrees: .agrees
            case .conflicts: .conflicts
            case .failed: .failed(until: now.advanced(milliseconds: Self.retryMilliseconds))
            case .unknown: self.firstLayout(of: key) == key.layoutSignature ? .agrees : .conflicts
            }
        self.states[key] = state
        return state
    }

    mutating func forget(_ tier: TierID) {
        self.states = self.states.filter { $0.key.tier != tier }
        self.firstLayouts = self.firstLayouts.filter { $0.key.tier != tier }
    }

    private mutating func firstLayout(of key: Key) -> String {
        let model = Model(tier: key.tier, name: key.modelName)
        if let first = self.firstLayouts[model] { return first }
        self.firstLayouts[model] = key.layoutSignature
        return key.layoutSignature
    }
}
