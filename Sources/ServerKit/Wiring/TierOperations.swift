// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
import CacheEngine
import EngineKit
import KVModel
import L1Cache
import L2Storage
import NativeThreads
import Synchronization
import Telemetry

/// Answers the HTTP front's questions about second tiers.
final class TierOperations: AdminTiers {
    private static let removalMilliseconds = 30_000
    private let instance: CacheInstance
    private let surroundings: AdapterSurroundings
    /// What opens or drains a medium, which takes its time: done on a thread of its own, one after another.
    private let slowWork = BoundedQueue<SlowWork>(capacity: 16)
    private let stopping: Stopping
    private let worker: NativeThread

    private struct SlowWork: Sendable {
        /// Does it, or says that it is not done any more.
        let run: @Sendable (_ isStopping: Bool) -> Void
    }

    private final class Stopping: Sendable {
        private let value = Atomic<Bool>(false)

        var isTrue: Bool { self.value.load(ordering: .relaxed) }

        func set() { self.value.store(true, ordering: .relaxed) }
    }

    /// - Parameter surroundings: What added adapters are started with.
    init(instance: CacheInstance, surroundings: AdapterSurroundings) {
        self.instance = instance
        self.surroundings = surroundings
        let stopping = Stopping()
        self.stopping = stopping
        self.worker = NativeThread(name: "lmc-admin-l2") { [slowWork] in
            while let work = slowWork.pop() { work.run(stopping.isTrue) }
        }
    }

    /// Ends what runs, at the latest when the tiers' own end would, and refuses what waits. Nothing may be called
    /// afterwards.
    func stop() {
        self.stopping.set()
        self.secondTier.endRemovals()
        self.slowWork.close()
        self.worker.join()
    }

    private var secondTier: SecondTier { self.instance.engine.secondTier }

    func all() -> [AdminTier] {
        self.secondTier.reports().filter { !$0.isDraining }.map {
            AdminTier(
                id: $0.id.rawValue, type: $0.description.kind, isShared: $0.description.isShared,
                details: $0.status)
        }
    }

    func list(_ tier: Int, _ page: AdminPageRequest) async -> Result<AdminObjectPage, AdminError> {
        let query = L2ListQuery(
            modelName: page.modelName, limit: page.size, cursor: page.token,
            deadline: MonotonicL2Clock().now().advanced(milliseconds: UInt64(Self.removalMilliseconds)))
        let listed: Result<L2Page, L2Failure> = await withCheckedContinuation { continuation in
            let submission = self.secondTier.list(TierID(tier), query) { continuation.resume(returning: $0) }
            guard case .accepted? = submission else { return continuation.resume(returning: .failure(.unavailable)) }
        }
        switch listed {
        case .success(let page): return .success(AdminObjectPage(keys: page.keys, next: page.next))
        case .failure(.unspellable): return .failure(AdminError(status: 400, detail: "malformed page_token"))
        case .failure(let failure):
            return .failure(AdminError(status: 503, detail: "the L2 adapter cannot list: \(failure.label)"))
        }
    }

    func delete(_ keys: [ObjectKey], tier: Int) async -> AdminDeletion {
        guard !keys.isEmpty else { return AdminDeletion(deleted: 0) }
        let results: [L2Result]? = await withCheckedContinuation { continuation in
            let submission = self.secondTier.delete(keys, from: TierID(tier)) { continuation.resume(returning: $0) }
            guard case .accepted? = submission else { return continuation.resume(returning: nil) }
        }
        guard let results else { return AdminDeletion(deleted: 0, error: "the L2 adapter takes no work now") }
        let failure = results.lazy.compactMap { result in
            if case .failed(let failure) = result { failure.label.description } else { nil }
        }.first
        return AdminDeletion(deleted: results.count(where: \.isSuccess), error: failure)
    }

    func deleteFromPool(_ keys: [ObjectKey], force: Bool) -> (deleted: Int, inUse: Int) {
        let removals = self.instance.engine.removeFromFirstTier(keys, force: force)
        return (removals.count { $0 == .removed }, removals.count { $0 == .inUse })
    }

    func warm(_ prompt: AdminPrompt) -> Result<AdminWarming, AdminError> {
        guard (1...KVRank.worldSizeLimit).contains(prompt.worldSize),
            let started = self.instance.engine.warm(
                modelName: prompt.modelName, worldSize: prompt.worldSize, tokens: prompt.tokens,
                cacheSalt: prompt.cacheSalt)
        else {
            return .failure(
                AdminError(
                    status: 503,
                    detail: """
                        no layout registered for model_name='\(prompt.modelName)' world_size=\(prompt.worldSize); an \
                        engine of the model must have registered, and fewer prefetches may run
                        """))
        }
        return .success(
            AdminWarming(id: started.id.map { String($0.rawValue, radix: 16) }, chunks: started.chunks))
    }

    func warming(_ id: String) -> AdminWarmingState {
        guard let number = UInt64(id, radix: 16) else { return .unknown }
        switch self.instance.engine.takeWarming(PrefetchID(number)) {
        case nil: return .unknown
        case .running: return .pending
        case .finished(let found, let total): return .completed(found: found, total: total)
        }
    }

    func setQuota(_ bytes: Int?, salt: String) {
        if let bytes {
            self.secondTier.setQuota(bytes, salt: salt)
        } else {
            _ = self.secondTier.removeQuota(salt: salt)
        }
    }

    func usageBySalt() -> [String: Int] { self.secondTier.usageBySalt() }

    func add(_ adapter: JSONValue) async -> Result<Int, AdminError> {
        let plan: AdapterPlan
        do {
            plan = try AdapterRegistry.plan(adapter)
        } catch {
            return .failure(AdminError(status: 400, detail: error.description))
        }
        let added: Result<Int, AdminError>? = await self.slowly { [instance, surroundings] in
            do throws(AdapterStartError) {
                return .success(try instance.addTier(plan, surroundings: surroundings).rawValue)
            } catch {
                return .failure(AdminError(status: 503, detail: error.description))
            }
        }
        return added
            ?? .failure(AdminError(status: 503, detail: "too many changes wait, or the server ends; try again"))
    }

    func remove(_ tier: Int) async -> Bool {
        await self.slowly { [instance] in
            instance.engine.secondTier.remove(TierID(tier), milliseconds: Self.removalMilliseconds)
        } ?? false
    }

    /// Runs what may block. Nil when too much waits already, and at the end.
    private func slowly<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            let work = SlowWork { continuation.resume(returning: $0 ? nil : body()) }
            let isTaken = self.slowWork.push(work)
            if !isTaken { continuation.resume(returning: nil) }
        }
    }
}
