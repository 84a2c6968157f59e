// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Copies looked-up chunks into a worker's blocks. Needs the leases of a lookup of the same request; each share is
    /// used up, whether the copy succeeds or not.
    ///
    /// - Parameter reply: Called exactly once, here or on the device's thread.
    package func retrieve(_ order: TransferOrder, reply: @escaping @Sendable (TransferResult) -> Void) {
        guard self.gate.enter() else { return reply(.failed) }
        self.retrieveCounted(order) { result in
            reply(result)
            // Last: the drain ends with it, and what is sent after the drain is lost.
            self.gate.leave()
        }
    }

    private func retrieveCounted(_ order: TransferOrder, reply: @escaping @Sendable (TransferResult) -> Void) {
        guard let worker = self.activeWorker(order) else {
            self.warn(.unknownWorker, "Rejecting RETRIEVE for unregistered GPU instance ID \(order.instance)")
            self.releaseShares(of: order)
            return reply(.failed)
        }
        let plan: TransferPlan
        do {
            plan = try TransferPlan(
                order: order, layout: worker.memory.layout,
                clampedEnd: self.clampedEnd(order, engine: worker.request.engine))
        } catch {
            self.warn(.refusedPlan, "Rejecting RETRIEVE of request \(order.key.requestID): \(error)")
            self.releaseShares(of: order)
            return reply(.failed)
        }
        guard let text = self.text(of: plan, order: order, worker: worker) else {
            self.releaseShares(of: order)
            return reply(.failed)
        }
        guard let cells = self.takeCells(plan, text: text, order: order, layout: worker.memory.layout) else {
            self.warn(.keysNotFound, "Some keys not found during retrieve! (request \(order.key.requestID))")
            self.metrics.l1ReadFailed(objects: 1, model: order.key.modelName, reason: .notFound)
            return reply(.failed)
        }
        self.submitLoad(cells, order: order, plan: plan, worker: worker, reply: reply)
    }

    /// TensorRT-LLM asks for its whole prompt whatever the lookup said. Without a lookup of this very prompt nothing is
    /// cut: the engine would take what another request's lookup left out for loaded.
    private func clampedEnd(_ order: TransferOrder, engine: EngineKind) -> Int? {
        guard engine == .trtllm else { return nil }
        let wanted = max(order.key.end, 0) / self.configuration.chunkSize
        let text = KeyText(key: order.key, hashes: Array(self.chain(for: order.key).hashes.prefix(wanted)))
        let hit = self.state.withLock { state in
            state.sessions[order.key.requestID]?.longestHit(ofPrompt: text)
        }
        return hit.map { max(order.key.start, $0 * self.configuration.chunkSize) }
    }

    /// The text up to the end of the range, in the namespace of the worker's own layout.
    private func text(of plan: TransferPlan, order: TransferOrder, worker: WorkerRegistration) -> PrefixIdentity? {
        let signature = worker.modelLayout(chunkSize: self.configuration.chunkSize).signature
        guard let namespace = self.cache.intern(order.key.namespace(layoutSignature: signature)) else { return nil }
        return PrefixIdentity(
            namespace: namespace, worldSize: order.key.worldSize,
            hashes: Array(self.sessionChain(for: order.key).hashes.prefix(plan.chunks.upperBound)))
    }

    private struct LoadCells: Sendable {
        var copies: [ObjectCopy] = []
        var handles: [ObjectHandle] = []
        var byteCount = 0
        var chunkCount = 0
    }

    /// Turns this worker's shares of every needed cell into holds. Nil, with the shares taken released, when one is
    /// missing or an object has another size than the worker's layout.
    private func takeCells(
        _ plan: TransferPlan, text: PrefixIdentity, order: TransferOrder, layout: KVCacheLayout
    ) -> LoadCells? {
        let groups = layout.objectGroups.filter { $0.kind != .auxiliary }
        let shares = self.takeShares(
            order, text: text, cells: groups.map { ($0.index, plan.neededChunks(objectGroup: $0)) }, rank: plan.rank)
        guard let shares, let places = self.cache.convertLeasesToHolds(shares) else { return nil }
        var cells = LoadCells()
        cells.handles = shares.map { $0.handle }
        cells.chunkCount = plan.chunks.count
        var next = 0
        for group in groups {
            for chunk in plan.neededChunks(objectGroup: group) {
                let place = places[next]
                next += 1
                guard place.length == group.layout.byteCount else {
                    self.cache.releaseHolds(cells.handles)
                    self.cache.discard(cells.handles)
                    return nil
                }
                guard
                    let skip = plan.skippedBlocks(objectGroup: group, chunk: chunk, skippedTokens: order.skippedTokens)
                else { continue }
                cells.byteCount += place.length
                cells.copies.append(
                    ObjectCopy(
                        objectGroup: group.index, place: ArenaRange(offset: place.offset, byteCount: place.length),
                        blockIDs: plan.blocks(objectGroup: group, chunk: chunk), skipBlocks: skip))
            }
        }
        return cells
    }

    private func submitLoad(
        _ cells: LoadCells, order: TransferOrder, plan: TransferPlan, worker: WorkerRegistration,
        reply: @escaping @Sendable (TransferResult) -> Void
    ) {
        let started = self.now
        let engine = worker.request.engine
        // TensorRT-LLM has no placeholder block; for the others nothing may ever be written to it.
        let protected = engine == .trtllm ? nil : self.configuration.nullBlockID.flatMap { Int32(exactly: $0) }
        self.metrics.retrieveSubmitted(device: worker.deviceName)
        let tokens = plan.chunks.count * self.configuration.chunkSize
        let isEarly = !order.repliesWhenLoaded
        let finish: @Sendable (Bool) -> Void = { isComplete in
            if !isEarly { reply(TransferResult(event: [], isSuccessful: isComplete)) }
            self.cache.releaseHolds(cells.handles)
            let seconds = self.now - started
            self.metrics.retrieveFinished(
                device: worker.deviceName, instance: order.instance.description, model: order.key.modelName,
                salt: order.key.cacheSalt, chunks: isComplete ? cells.chunkCount : 0,
                bytes: isComplete ? cells.byteCount : 0, seconds: seconds.seconds)
            guard isComplete else { return }
            self.metrics.l1Read(objects: cells.handles.count, salt: order.key.cacheSalt)
            self.logger.info("Retrieved \(tokens) tokens in \(seconds.fixedSeconds) seconds")
        }
        let isAccepted = worker.memory.submit(
            Transfer(
                direction: .load, objects: cells.copies, protectedBlockID: protected, event: order.event,
                enqueued: { result in
                    switch result {
                    case .success(let event):
                        if isEarly { reply(TransferResult(event: event, isSuccessful: true)) }
                    case .failure(let failure):
                        self.warn(.failedTransfer, "RETRIEVE of request \(order.key.requestID) failed: \(failure)")
                        if isEarly { reply(.failed) }
                    }
                },
                completed: finish))
        guard !isAccepted else { return }
        finish(false)
        self.warn(.fullQueue, "RETRIEVE of request \(order.key.requestID) refused: the device's queue is full")
        if isEarly { reply(.failed) }
    }
}
