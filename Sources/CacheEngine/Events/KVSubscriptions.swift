// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Names one open stream: connection and the client's uid bytes are its identity.
package struct EventStreamID: Hashable, Sendable {
    package let connection: ConnectionID
    /// The client's own bytes, never decoded.
    package let uid: [UInt8]
    /// The operation frame as the client spelled it, to be echoed; no part of the identity.
    package let operation: [UInt8]

    package init(connection: ConnectionID, uid: [UInt8], operation: [UInt8]) {
        self.connection = connection
        self.uid = uid
        self.operation = operation
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.connection == right.connection && left.uid == right.uid
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.connection)
        hasher.combine(self.uid)
    }
}

/// What the owner of ``KVSubscriptions`` must send.
package enum KVSubscriptionAction: Sendable, Equatable {
    /// One batch on a stream.
    case send(KVEvents, to: EventStreamID)
    /// The two-frame message that ends a stream.
    case end(EventStreamID)
}

/// Who reads the event log, from where, and who may be sent something now.
///
/// Each stream has a credit of one batch, spent by sending and returned by the client's `ack`; an idle stream is silent.
/// A value without a lock; its owner keeps it beside the log. Source: wire protocol §1.6 and §2.11.
package struct KVSubscriptions: Sendable {
    private struct Subscription {
        let instance: InstanceID
        let model: String
        let limit: Int
        var cursor: Int64
        var hasCredit = true
        var lastSeen: Duration
    }

    /// Most streams at a time; a subscription beyond it is answered as if there were no log.
    package let maximumStreams: Int
    /// Silence after which a stream ends; nil for never.
    package let reapAfter: Duration?
    private var subscriptions: [EventStreamID: Subscription] = [:]
    private var streams: [InstanceID: EventStreamID] = [:]

    package init(reapAfter: Duration?, maximumStreams: Int = 4096) {
        self.reapAfter = reapAfter
        self.maximumStreams = maximumStreams
    }

    /// Open streams.
    package var count: Int { self.subscriptions.count }

    /// A client subscribes: its first batch is sent at once, and an older stream of the same instance ends.
    ///
    /// A cursor below 0, a limit outside ``KVEventLog/batchLimits`` and a log that is off are answered with one batch
    /// that says "disabled": silence or an end would make the client subscribe again in a tight loop.
    package mutating func subscribe(
        _ instance: InstanceID,
        stream: EventStreamID,
        model: String,
        cursor: Int64,
        limit: Int,
        now: Duration,
        log: KVEventLog
    ) -> [KVSubscriptionAction] {
        guard log.isEnabled, cursor >= 0, KVEventLog.batchLimits.contains(limit) else {
            return [.send(.disabled(incarnation: log.incarnation), to: stream)]
        }
        var actions: [KVSubscriptionAction] = []
        // A reused uid names the new stream from now on, so the old one cannot be ended apart from it.
        self.drop(stream)
        if let previous = self.streams[instance] {
            self.drop(previous)
            actions.append(.end(previous))
        }
        guard self.subscriptions.count < self.maximumStreams else {
            return actions + [.send(.disabled(incarnation: log.incarnation), to: stream)]
        }
        let first = log.batch(after: cursor, model: model, limit: limit)
        self.subscriptions[stream] = Subscription(
            instance: instance,
            model: model,
            limit: limit,
            cursor: first.nextCursor,
            hasCredit: false,
            lastSeen: now
        )
        self.streams[instance] = stream
        actions.append(.send(first, to: stream))
        return actions
    }

    /// The client took a batch and can take another.
    ///
    /// Unknown streams and surplus acks are ignored.
    package mutating func acknowledged(_ stream: EventStreamID, log: KVEventLog) -> [KVSubscriptionAction] {
        // A control message does not repeat the operation, which the next batch has to echo.
        guard let instance = self.subscriptions[stream]?.instance, let opened = self.streams[instance] else {
            return []
        }
        self.subscriptions[opened]?.hasCredit = true
        return self.advance(opened, log: log).map { [$0] } ?? []
    }

    /// The client no longer wants the stream; nothing is sent.
    package mutating func cancelled(_ stream: EventStreamID) {
        self.drop(stream)
    }

    /// The log has new entries: everyone with credit and something to hear gets a batch.
    package mutating func logGrew(_ log: KVEventLog) -> [KVSubscriptionAction] {
        var actions: [KVSubscriptionAction] = []
        for (stream, subscription) in self.subscriptions where subscription.hasCredit {
            if let action = self.advance(stream, log: log) { actions.append(action) }
        }
        return actions
    }

    /// The instance pinged: its stream stays.
    package mutating func pinged(_ instance: InstanceID, now: Duration) {
        guard let stream = self.streams[instance] else { return }
        self.subscriptions[stream]?.lastSeen = now
    }

    /// Ends the streams whose instance has not pinged for longer than the reap limit, lowest instance first.
    package mutating func due(now: Duration) -> [KVSubscriptionAction] {
        guard let reapAfter = self.reapAfter else { return [] }
        let silent = self.subscriptions.values.filter { now - $0.lastSeen > reapAfter }.map(\.instance)
        return silent.sorted { $0.rawValue < $1.rawValue }.flatMap { self.reaped($0) }
    }

    /// The instance's registration was reaped: its stream ends.
    package mutating func reaped(_ instance: InstanceID) -> [KVSubscriptionAction] {
        guard let stream = self.streams[instance] else { return [] }
        self.drop(stream)
        return [.end(stream)]
    }

    /// A connection is gone, and its streams with it; nobody is left to tell.
    package mutating func connectionClosed(_ connection: ConnectionID) {
        for stream in self.subscriptions.keys where stream.connection == connection { self.drop(stream) }
    }

    /// The server stops: every stream ends.
    package mutating func shutDown() -> [KVSubscriptionAction] {
        let actions = self.subscriptions.keys.map { KVSubscriptionAction.end($0) }
        self.subscriptions.removeAll()
        self.streams.removeAll()
        return actions
    }

    /// Moves a stream's cursor to the end of the log, or to the end of one batch that is worth sending.
    private mutating func advance(_ stream: EventStreamID, log: KVEventLog) -> KVSubscriptionAction? {
        guard var subscription = self.subscriptions[stream], subscription.hasCredit else { return nil }
        let batch = log.batch(after: subscription.cursor, model: subscription.model, limit: subscription.limit)
        subscription.cursor = batch.nextCursor
        subscription.hasCredit = !batch.saysSomething
        self.subscriptions[stream] = subscription
        return batch.saysSomething ? .send(batch, to: stream) : nil
    }

    private mutating func drop(_ stream: EventStreamID) {
        guard let subscription = self.subscriptions.removeValue(forKey: stream) else { return }
        if self.streams[subscription.instance] == stream { self.streams[subscription.instance] = nil }
    }
}
