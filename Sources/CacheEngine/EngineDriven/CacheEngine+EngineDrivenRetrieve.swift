// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Hands out the slots of looked-up chunks, or their bytes where there is no shared pool. All of the range or a miss.
    ///
    /// - Parameter reply: Called exactly once, here or on the copier's thread.
    package func prepareRetrieve(
        _ order: EngineDrivenOrder, reply: @escaping @Sendable (PreparedRetrieve) -> Void
    ) {
        let shares = TransferOrder(
            key: order.key, instance: order.instance, blockIDs: [], event: [], connection: order.connection)
        guard self.gate.isOpen, let context = self.engineDrivenContext(order) else {
            self.releaseShares(of: shares)
            return reply(.miss)
        }
        let startedAt = self.now
        guard
            let taken = self.takeShares(
                shares, text: context.text, cells: [(group: 0, chunks: context.plan.chunks)], rank: context.plan.rank),
            let places = self.cache.convertLeasesToHolds(taken)
        else {
            self.warn(.keysNotFound, "Some keys not found during retrieve! (request \(order.key.requestID))")
            self.metrics.l1ReadFailed(objects: 1, model: order.key.modelName, reason: .notFound)
            return reply(.miss)
        }
        let handles = taken.map { $0.handle }
        guard places.allSatisfy({ $0.length == context.worker.layout.byteCount }) else {
            self.cache.releaseHolds(handles)
            self.cache.discard(handles)
            return reply(.miss)
        }
        guard self.cache.pool != nil else {
            return self.readInline(handles, places, context: context, startedAt: startedAt, reply: reply)
        }
        let entry = PendingTransfers.Entry(
            identity: context.identity, requestID: order.key.requestID, connection: order.connection, handles: handles,
            places: places, chunkIndices: Array(places.indices), startedAt: startedAt)
        if !handles.isEmpty { self.state.withLock { $0.pending.openRead(entry) } }
        reply(.slots(PoolSlots(places: places, chunkIndices: entry.chunkIndices, layout: context.worker.layout)))
    }

    /// Ends a prepared retrieve: the worker has read its slots. Harmless when there is none.
    package func commitRetrieve(_ order: EngineDrivenOrder) {
        guard let context = self.engineDrivenContext(order) else { return }
        let entry = self.state.withLock { $0.pending.takeRead(context.identity, requestID: order.key.requestID) }
        guard let entry else { return }
        self.cache.releaseHolds(entry.handles)
        self.reportRetrieved(entry.handles.count, context: context, since: entry.startedAt)
    }

    private func readInline(
        _ handles: [ObjectHandle], _ places: [ObjectPlace], context: EngineDrivenContext, startedAt: Duration,
        reply: @escaping @Sendable (PreparedRetrieve) -> Void
    ) {
        guard self.gate.enter() else {
            self.cache.releaseHolds(handles)
            return reply(.miss)
        }
        let ranges = places.map { ArenaRange(offset: $0.offset, byteCount: $0.length) }
        let isAccepted = self.inlineCopier.submit(
            .read(places: ranges, layout: context.worker.layout) { result in
                self.cache.releaseHolds(handles)
                switch result {
                case .success(let pickle):
                    self.reportRetrieved(handles.count, context: context, since: startedAt)
                    reply(.inMessage(pickle))
                case .failure(let failure):
                    self.warn(.failedTransfer, "PREPARE_RETRIEVE failed: \(failure)")
                    reply(.miss)
                }
                self.gate.leave()
            })
        guard !isAccepted else { return }
        self.cache.releaseHolds(handles)
        reply(.miss)
        self.gate.leave()
    }

    private func reportRetrieved(_ chunks: Int, context: EngineDrivenContext, since started: Duration) {
        self.metrics.l1Read(objects: chunks, salt: context.cacheSalt)
        let tokens = chunks * self.configuration.chunkSize
        self.logger.info("Retrieved \(tokens) tokens in \((self.now - started).fixedSeconds) seconds")
    }
}
