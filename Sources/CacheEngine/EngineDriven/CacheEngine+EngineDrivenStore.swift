// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel
import L1Cache
import Logging
import Synchronization
import Telemetry

extension CacheEngine {
    /// Hands out slots for the chunks of the range that are not cached yet.
    package func prepareStore(_ order: EngineDrivenOrder) -> PreparedStore {
        // After the drain nobody would take the commit.
        guard self.gate.isOpen, let context = self.engineDrivenContext(order) else { return .nothing }
        guard self.cache.pool != nil else { return .inMessage }
        let isWriting = self.state.withLock { $0.pending.isWriting(context.identity) }
        guard !isWriting else { return .nothing }
        let reserved = self.reserve(context)
        guard !reserved.handles.isEmpty else { return .nothing }
        let entry = PendingTransfers.Entry(
            identity: context.identity, requestID: order.key.requestID, connection: order.connection,
            handles: reserved.handles, places: reserved.places, chunkIndices: reserved.chunkIndices,
            startedAt: self.now)
        self.state.withLock { $0.pending.openWrite(entry) }
        return .slots(
            PoolSlots(places: entry.places, chunkIndices: entry.chunkIndices, layout: context.worker.layout))
    }

    /// Makes a prepared store visible, or stores chunks that came inside the message.
    ///
    /// - Parameters:
    ///   - data: Empty after slots were written; else the pickled chunks of the range, in order.
    ///   - reply: Called exactly once, here or on the copier's thread; true when everything reserved is cached now.
    package func commitStore(
        _ order: EngineDrivenOrder, data: [UInt8], reply: @escaping @Sendable (Bool) -> Void
    ) {
        guard let context = self.engineDrivenContext(order) else { return reply(false) }
        let entry = self.state.withLock {
            $0.pending.takeWrite(context.identity, requestID: order.key.requestID)
        }
        guard data.isEmpty else {
            let reserved = entry.map { Reserved(entry: $0) } ?? self.reserve(context)
            return self.writeInline(data, reserved, context: context, order: order, reply: reply)
        }
        guard let entry else { return reply(false) }
        self.commitStored(entry.handles)
        self.reportStored(context.plan.chunks.count, since: entry.startedAt)
        reply(true)
    }

    /// Gives a prepared store up: nothing of it becomes visible, and its slots stay with the worker until that ends.
    package func abandonStore(_ order: EngineDrivenOrder) {
        guard let context = self.engineDrivenContext(order) else { return }
        let entry = self.state.withLock {
            $0.pending.abandonWrite(context.identity, requestID: order.key.requestID)
        }
        self.cache.quarantine(entry?.handles ?? [])
    }

    private func writeInline(
        _ data: [UInt8], _ reserved: Reserved, context: EngineDrivenContext, order: EngineDrivenOrder,
        reply: @escaping @Sendable (Bool) -> Void
    ) {
        guard !reserved.handles.isEmpty else { return reply(true) }
        guard self.gate.enter() else {
            self.cache.abort(reserved.handles)
            return reply(false)
        }
        let started = self.now
        var places: [ArenaRange?] = Array(repeating: nil, count: context.plan.chunks.count)
        for (index, place) in zip(reserved.chunkIndices, reserved.places) {
            places[index] = ArenaRange(offset: place.offset, byteCount: place.length)
        }
        let isAccepted = self.inlineCopier.submit(
            .write(pickle: data, places: places, layout: context.worker.layout) { result in
                let written: [Bool]
                switch result {
                case .success(let flags):
                    written = reserved.chunkIndices.map { flags.indices.contains($0) && flags[$0] }
                case .failure(let failure):
                    self.warn(.failedTransfer, "COMMIT_STORE of request \(order.key.requestID) failed: \(failure)")
                    written = reserved.handles.map { _ in false }
                }
                self.commitStored(zip(reserved.handles, written).filter(\.1).map(\.0))
                self.cache.abort(zip(reserved.handles, written).filter { !$0.1 }.map(\.0))
                let isComplete = written.allSatisfy(\.self)
                if isComplete { self.reportStored(context.plan.chunks.count, since: started) }
                reply(isComplete)
                self.gate.leave()
            })
        guard !isAccepted else { return }
        self.cache.abort(reserved.handles)
        reply(false)
        self.gate.leave()
    }

    private struct Reserved: Sendable {
        var handles: [ObjectHandle] = []
        var places: [ObjectPlace] = []
        var chunkIndices: [Int] = []

        init() {}

        init(entry: PendingTransfers.Entry) {
            self.handles = entry.handles
            self.places = entry.places
            self.chunkIndices = entry.chunkIndices
        }
    }

    private func reserve(_ context: EngineDrivenContext) -> Reserved {
        let grants = self.cache.reserve(
            WriteQuery(
                namespace: context.identity.namespace, worldSize: context.identity.worldSize, rank: context.plan.rank,
                group: 0, hashes: Array(context.hashes), byteCount: context.worker.layout.byteCount))
        var reserved = Reserved()
        for (index, grant) in grants.enumerated() {
            guard case .granted(let handle, let place) = grant else { continue }
            reserved.handles.append(handle)
            reserved.places.append(place)
            reserved.chunkIndices.append(index)
        }
        return reserved
    }

    private func reportStored(_ chunks: Int, since started: Duration) {
        let tokens = chunks * self.configuration.chunkSize
        self.logger.info("Stored \(tokens) tokens in \((self.now - started).fixedSeconds) seconds")
    }
}
