// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L1Cache
package import Logging
import Synchronization
package import Telemetry

/// Turns what happens in the first tier into metrics, log lines and the KV event stream.
///
/// Made before the cache, whose listener it is, and joined to it afterwards. Any thread; its lock is the last in the lock
/// order, and nothing foreign runs under it.
package final class EventRecorder: L1Listener {
    private struct State {
        var log: KVEventLog
        var subscriptions: KVSubscriptions
        /// Tokens and records are kept only once somebody has subscribed: 32,768 chunks of tokens are tens of megabytes.
        var isRecording = false
        var namespace: (@Sendable (NamespaceID) -> Namespace)?
        var deliver: (@Sendable ([KVSubscriptionAction]) -> Void)?
    }

    private let state: Mutex<State>
    private let metrics: CacheMetrics
    private let logger: Logger
    private let chunkSize: Int

    package init(
        capacity: Int, incarnation: Int64, reapAfter: Duration?, chunkSize: Int, metrics: CacheMetrics, logger: Logger
    ) {
        self.state = Mutex(
            State(
                log: KVEventLog(capacity: capacity, incarnation: incarnation),
                subscriptions: KVSubscriptions(reapAfter: reapAfter)))
        self.chunkSize = chunkSize
        self.metrics = metrics
        self.logger = logger
    }

    /// Says where namespaces are named. Once, before the cache serves.
    package func attach(namespace: @escaping @Sendable (NamespaceID) -> Namespace) {
        self.state.withLock { $0.namespace = namespace }
    }

    /// Says who sends batches and ends streams. Once, before the first subscription.
    package func attach(deliver: @escaping @Sendable ([KVSubscriptionAction]) -> Void) {
        self.state.withLock { $0.deliver = deliver }
    }

    // MARK: Subscribers

    /// Opens a stream; its first batch is delivered before this returns.
    package func subscribe(
        _ instance: InstanceID, stream: EventStreamID, model: String, cursor: Int64, limit: Int, now: Duration
    ) {
        self.act { state in
            state.isRecording = true
            return state.subscriptions.subscribe(
                instance, stream: stream, model: model, cursor: cursor, limit: limit, now: now, log: state.log)
        }
    }

    package func acknowledged(_ stream: EventStreamID) {
        self.act { $0.subscriptions.acknowledged(stream, log: $0.log) }
    }

    package func cancelled(_ stream: EventStreamID) {
        self.state.withLock { $0.subscriptions.cancelled(stream) }
    }

    package func subscriberPinged(_ instance: InstanceID, now: Duration) {
        self.state.withLock { $0.subscriptions.pinged(instance, now: now) }
    }

    package func workerReaped(_ instance: InstanceID) { self.act { $0.subscriptions.reaped(instance) } }

    package func connectionClosed(_ connection: ConnectionID) {
        self.state.withLock { $0.subscriptions.connectionClosed(connection) }
    }

    package func tick(now: Duration) { self.act { $0.subscriptions.due(now: now) } }

    /// Ends every stream, at shutdown.
    package func shutDown() { self.act { $0.subscriptions.shutDown() } }

    /// Figures of the event log for status pages.
    package func report() -> EventReport {
        self.state.withLock { state in
            EventReport(
                isEnabled: state.log.isEnabled, incarnation: state.log.incarnation, depth: state.log.depth,
                capacity: state.log.capacity, nextSequence: state.log.nextSequence, lostMarkers: state.log.lostMarkers,
                unboundStores: state.log.unboundStores, subscribers: state.subscriptions.count)
        }
    }

    // MARK: What stores and the first tier tell

    /// Remembers the tokens of a store's chunks until they become resident. Only worker 0 tells them: the other ranks
    /// store the same prompt.
    func bindTokens(of key: CacheKey, chain: PrefixChain, chunks: Range<Int>) {
        guard key.workerID == 0 else { return }
        self.bindTokens(of: chain, chunks: chunks)
    }

    /// Remembers the tokens of chunks that a second tier may bring.
    func bindTokens(of chain: PrefixChain, chunks: Range<Int>) {
        guard !chunks.isEmpty else { return }
        let size = self.chunkSize
        self.state.withLock { state in
            guard state.isRecording else { return }
            let parent = chunks.lowerBound > 0 ? chain.hashes[chunks.lowerBound - 1] : nil
            state.log.bindTokens(
                chain.hashes[chunks], parent: parent,
                tokens: chain.tokens[chunks.lowerBound * size..<chunks.upperBound * size], chunkSize: size)
        }
    }

    package func objectsCommitted(_ objects: [CommittedObject]) {
        for (namespace, objects) in self.named(objects, \.namespace) {
            self.metrics.l1Wrote(objects: objects.count, salt: namespace.cacheSalt)
            self.act { state in
                guard state.isRecording else { return [] }
                // Each rank and group commits the same chunks; one record announces them.
                let announced = objects.filter { $0.rank == 0 && $0.group == 0 }.map(\.hash)
                state.log.stored(announced, model: namespace.modelName)
                return state.subscriptions.logGrew(state.log)
            }
        }
    }

    package func objectsEvicted(_ objects: [EvictedObject]) {
        for (namespace, objects) in self.named(objects, \.namespace) {
            self.metrics.l1Evicted(objects: objects.count, salt: namespace.cacheSalt)
            self.act { state in
                guard state.isRecording else { return [] }
                state.log.removed(objects.map(\.hash), model: namespace.modelName)
                return state.subscriptions.logGrew(state.log)
            }
        }
    }

    package func allocationFailed(count: Int, namespace: NamespaceID, purpose: WriteQuery.Purpose) {
        guard let name = self.state.withLock({ $0.namespace })?(namespace) else { return }
        self.metrics.l1AllocationFailed(
            objects: count, model: name.modelName, during: purpose == .prefetch ? .prefetch : .store)
    }

    package func watermarkTick(usage: Double, triggered: Bool) {
        self.metrics.evictionTick(triggered: triggered)
        guard triggered else { return }
        let percent = Int((usage * 100).rounded())
        self.logger.info("L1 memory usage \(percent) % above the watermark; triggering eviction.")
    }

    package func growthFailed(errno: Int32, committedBytes: Int) {
        self.logger.warning(
            """
            The system has no more memory for the L1 pool (errno \(errno)); it works on with \(committedBytes >> 20) MiB \
            and tries again later
            """)
    }

    private func named<Object>(
        _ objects: [Object], _ identifier: (Object) -> NamespaceID
    ) -> [(Namespace, [Object])] {
        guard let name = self.state.withLock({ $0.namespace }) else { return [] }
        if let first = objects.first.map(identifier), objects.allSatisfy({ identifier($0) == first }) {
            return [(name(first), objects)]
        }
        return Dictionary(grouping: objects, by: identifier).map { (name($0.key), $0.value) }
    }

    private func act(_ body: (inout State) -> [KVSubscriptionAction]) {
        let (actions, deliver) = self.state.withLock { state in (body(&state), state.deliver) }
        if !actions.isEmpty { deliver?(actions) }
    }
}

/// The event log in figures.
package struct EventReport: Sendable {
    package let isEnabled: Bool
    package let incarnation: Int64
    package let depth: Int
    package let capacity: Int
    package let nextSequence: Int64
    package let lostMarkers: Int
    package let unboundStores: Int
    package let subscribers: Int
}
