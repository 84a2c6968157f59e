// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import KVModel
import Synchronization
import Telemetry

/// Tiers that hold keys in arrays. None at first.
final class FakeTiers: AdminTiers {
    struct Tier {
        var description: AdminTier
        var keys: [ObjectKey]
    }

    struct State {
        var tiers: [Tier] = []
        var pool: [ObjectKey] = []
        /// Keys of the pool that somebody reads.
        var inUse: Set<ObjectKey> = []
        var warmings: [String: AdminWarmingState] = [:]
        var prompts: [AdminPrompt] = []
        var quotas: [String: Int] = [:]
        var nextID = 1
        /// Bytes of each salt.
        var usage: [String: Int] = [:]
    }

    let state = Mutex(State())

    func insert(type: String, keys: [ObjectKey] = [], isShared: Bool = false) {
        self.state.withLock { state in
            let tier = AdminTier(
                id: state.nextID, type: type, isShared: isShared, details: ["n": .integer(state.nextID)])
            state.tiers.append(Tier(description: tier, keys: keys))
            state.nextID += 1
        }
    }

    func all() -> [AdminTier] { self.state.withLock { $0.tiers.map(\.description) } }

    func list(_ tier: Int, _ page: AdminPageRequest) async -> Result<AdminObjectPage, AdminError> {
        let keys = self.state.withLock { state in
            state.tiers.first { $0.description.id == tier }?.keys.filter {
                page.modelName == nil || $0.modelName == page.modelName
            } ?? []
        }
        guard let start = Int(page.token ?? "0") else {
            return .failure(AdminError(status: 400, detail: "malformed page_token"))
        }
        let end = min(keys.count, start + page.size)
        return .success(AdminObjectPage(keys: Array(keys[start..<end]), next: end < keys.count ? "\(end)" : nil))
    }

    func delete(_ keys: [ObjectKey], tier: Int) async -> AdminDeletion {
        self.state.withLock { state in
            guard let index = state.tiers.firstIndex(where: { $0.description.id == tier }) else {
                return AdminDeletion(deleted: 0, error: "unavailable")
            }
            let before = state.tiers[index].keys.count
            state.tiers[index].keys.removeAll { keys.contains($0) }
            return AdminDeletion(deleted: before - state.tiers[index].keys.count)
        }
    }

    func deleteFromPool(_ keys: [ObjectKey], force: Bool) -> (deleted: Int, inUse: Int) {
        self.state.withLock { state in
            let kept = force ? [] : keys.filter { state.inUse.contains($0) }
            let before = state.pool.count
            state.pool.removeAll { keys.contains($0) && !kept.contains($0) }
            return (before - state.pool.count, kept.count)
        }
    }

    func warm(_ prompt: AdminPrompt) -> Result<AdminWarming, AdminError> {
        guard prompt.modelName == "m" else {
            return .failure(
                AdminError(status: 503, detail: "no layout registered for model_name='\(prompt.modelName)'"))
        }
        return self.state.withLock { state in
            state.prompts.append(prompt)
            let chunks = prompt.tokens.count / 2
            guard chunks > 0 else { return .success(AdminWarming(id: nil, chunks: 0)) }
            state.warmings["a"] = .pending
            return .success(AdminWarming(id: "a", chunks: chunks))
        }
    }

    func warming(_ id: String) -> AdminWarmingState {
        self.state.withLock { state in
            let found = state.warmings[id] ?? .unknown
            if case .completed = found { state.warmings[id] = nil }
            return found
        }
    }

    func setQuota(_ bytes: Int?, salt: String) { self.state.withLock { $0.quotas[salt] = bytes } }

    func usageBySalt() -> [String: Int] { self.state.withLock { $0.usage } }

    func add(_ adapter: JSONValue) async -> Result<Int, AdminError> {
        guard case .string(let type)? = adapter["type"], type == "fs" || type == "mock" else {
            return .failure(AdminError(status: 400, detail: "type is unknown"))
        }
        self.insert(type: type)
        return .success(self.state.withLock { $0.nextID - 1 })
    }

    func remove(_ tier: Int) async -> Bool {
        self.state.withLock { state in state.tiers.removeAll { $0.description.id == tier } }
        return true
    }
}
