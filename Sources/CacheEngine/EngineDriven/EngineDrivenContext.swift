// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Logging
import Synchronization

/// What every engine-driven operation works out first.
struct EngineDrivenContext: Sendable {
    let worker: EngineDrivenWorker
    let plan: EngineDrivenPlan
    let identity: PendingTransfers.Identity
    /// Of the range's chunks, in order.
    let hashes: ArraySlice<ChunkHash>
    /// The text up to the end of the range.
    let text: PrefixIdentity
    let cacheSalt: String
}

extension CacheEngine {
    /// Finds the worker, marks it active and names the range's chunks. Nil, logged, for an unknown worker or a range that
    /// is not made of whole chunks.
    func engineDrivenContext(_ order: EngineDrivenOrder) -> EngineDrivenContext? {
        let now = self.now
        let worker = self.state.withLock { state -> EngineDrivenWorker? in
            guard let worker = state.engineDrivenWorkers[order.instance] else { return nil }
            state.liveness.active(order.instance, connection: order.connection, now: now)
            return worker
        }
        guard let worker else {
            self.warn(.unknownWorker, "Instance \(order.instance) is not registered for engine-driven transfers")
            return nil
        }
        guard let plan = EngineDrivenPlan(key: order.key, chunkSize: self.configuration.chunkSize) else {
            self.warn(
                .refusedRange,
                """
                Range \(order.key.start)..<\(order.key.end) of request \(order.key.requestID) is refused: it needs a \
                worker_id and whole chunks of \(self.configuration.chunkSize) tokens within the prompt
                """)
            return nil
        }
        let signature = worker.modelLayout(chunkSize: self.configuration.chunkSize).signature
        guard let namespace = self.cache.intern(order.key.namespace(layoutSignature: signature)) else { return nil }
        let text = PrefixIdentity(
            namespace: namespace, worldSize: order.key.worldSize,
            hashes: Array(self.sessionChain(for: order.key).hashes.prefix(plan.chunks.upperBound)))
        let hashes = text.hashes[plan.chunks]
        return EngineDrivenContext(
            worker: worker, plan: plan,
            identity: PendingTransfers.Identity(
                instance: order.instance, namespace: namespace, worldSize: order.key.worldSize, rank: plan.rank,
                chunks: plan.chunks, lastHash: hashes.last),
            hashes: hashes, text: text, cacheSalt: order.key.cacheSalt)
    }
}
