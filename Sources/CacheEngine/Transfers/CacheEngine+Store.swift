// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Copies whole chunks of a worker's blocks into the cache. They become visible together, once every byte is in
    /// place.
    ///
    /// - Parameter reply: Called exactly once, here or on the device's thread.
    package func store(_ order: TransferOrder, reply: @escaping @Sendable (TransferResult) -> Void) {
        guard self.gate.enter() else { return reply(.failed) }
        self.storeCounted(order) { result in
            reply(result)
            // Last: the drain ends with it, and what is sent after the drain is lost.
            self.gate.leave()
        }
    }

    private func storeCounted(_ order: TransferOrder, reply: @escaping @Sendable (TransferResult) -> Void) {
        guard let worker = self.activeWorker(order) else {
            self.warn(.unknownWorker, "Rejecting STORE for unregistered GPU instance ID \(order.instance)")
            return reply(.failed)
        }
        let layout = worker.memory.layout
        let plan: TransferPlan
        do {
            plan = try TransferPlan(order: order, layout: layout)
        } catch {
            self.warn(.refusedPlan, "Rejecting STORE of request \(order.key.requestID): \(error)")
            return reply(.failed)
        }
        let signature = worker.modelLayout(chunkSize: self.configuration.chunkSize).signature
        guard let namespace = self.cache.intern(order.key.namespace(layoutSignature: signature)) else {
            return reply(.failed)
        }
        let chain = self.sessionChain(for: order.key)
        self.recorder.bindTokens(of: order.key, chain: chain, chunks: plan.chunks)
        let reserved = self.reserve(plan, order: order, layout: layout, chain: chain, namespace: namespace)
        guard !reserved.handles.isEmpty else { return reply(.nothingToDo) }
        self.submitStore(reserved, order: order, plan: plan, worker: worker, reply: reply)
    }

    private struct ReservedStore: Sendable {
        var copies: [ObjectCopy] = []
        var handles: [ObjectHandle] = []
        var byteCount = 0
    }

    /// Reserves one object for each chunk and object group that is not cached yet, tails last so that memory pressure
    /// cuts the end of the prompt.
    private func reserve(
        _ plan: TransferPlan, order: TransferOrder, layout: KVCacheLayout, chain: PrefixChain, namespace: NamespaceID
    ) -> ReservedStore {
        var reserved = ReservedStore()
        for group in layout.objectGroups {
            let chunks = plan.chunks.filter {
                !plan.isPlaceholder(objectGroup: group, chunk: $0, nullBlockID: self.configuration.nullBlockID)
            }
            let grants = self.cache.reserve(
                WriteQuery(
                    namespace: namespace, worldSize: order.key.worldSize, rank: plan.rank, group: group.index,
                    hashes: chunks.map { chain.hashes[$0] }, byteCount: group.layout.byteCount))
            for (chunk, grant) in zip(chunks, grants) {
                guard case .granted(let handle, let place) = grant else { continue }
                reserved.handles.append(handle)
                reserved.byteCount += place.length
                reserved.copies.append(
                    ObjectCopy(
                        objectGroup: group.index, place: ArenaRange(offset: place.offset, byteCount: place.length),
                        blockIDs: plan.blocks(objectGroup: group, chunk: chunk)))
            }
        }
        return reserved
    }

    private func submitStore(
        _ reserved: ReservedStore, order: TransferOrder, plan: TransferPlan, worker: WorkerRegistration,
        reply: @escaping @Sendable (TransferResult) -> Void
    ) {
        let started = self.now
        let handles = reserved.handles
        let tokens = plan.chunks.count * self.configuration.chunkSize
        self.metrics.storeSubmitted(device: worker.deviceName)
        let isAccepted = worker.memory.submit(
            Transfer(
                direction: .store, objects: reserved.copies, event: order.event,
                enqueued: { result in
                    switch result {
                    case .success(let event): reply(TransferResult(event: event, isSuccessful: true))
                    case .failure(let failure):
                        self.warn(.failedTransfer, "STORE of request \(order.key.requestID) failed: \(failure)")
                        reply(.failed)
                    }
                },
                completed: { isComplete in
                    if isComplete { self.commitStored(handles) } else { self.cache.abort(handles) }
                    let seconds = self.now - started
                    self.metrics.storeFinished(
                        device: worker.deviceName, instance: order.instance.description, model: order.key.modelName,
                        bytes: isComplete ? reserved.byteCount : 0, seconds: seconds.seconds)
                    if isComplete { self.logger.info("Stored \(tokens) tokens in \(seconds.fixedSeconds) seconds") }
                }))
        guard !isAccepted else { return }
        self.cache.abort(handles)
        self.metrics.storeFinished(
            device: worker.deviceName, instance: order.instance.description, model: order.key.modelName, bytes: 0,
            seconds: 0)
        self.warn(.fullQueue, "STORE of request \(order.key.requestID) skipped: the device's queue is full")
        reply(.failed)
    }

    /// Makes an engine's objects visible and hands them to the second tier.
    func commitStored(_ handles: [ObjectHandle]) {
        self.cache.commit(handles)
        self.secondTier.stored(handles)
    }

    /// The worker's registration, marked active; nil when it has none.
    func activeWorker(_ order: TransferOrder) -> WorkerRegistration? {
        let now = self.now
        return self.state.withLock { state in
            guard let worker = state.workers[order.instance] else { return nil }
            state.liveness.active(order.instance, connection: order.connection, now: now)
            return worker
        }
    }

    /// The request's chain at the key's tokens, kept in its session where it has one, so that later operations hash only
    /// what is new.
    func sessionChain(for key: CacheKey) -> PrefixChain {
        let chain = self.chain(for: key)
        let now = self.now
        _ = self.state.withLock { state in
            state.sessions.withExisting(key.requestID, now: now) { $0.chain = chain }
        }
        return chain
    }
}
