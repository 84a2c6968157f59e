// lmcache · SPDX-License-Identifier: Apache-2.0

package import CacheEngine
import CacheProtocol
package import KVModel
package import Logging
import Synchronization
import Telemetry

/// Decodes requests, asks the engine and encodes replies. Knows no socket: frames come in, frames go out.
///
/// Every request gets exactly one reply, also one that cannot be read or carried out (wire protocol §1.5). Any thread;
/// the requests of one connection come in order.
package final class CacheService: Sendable {
    package typealias Send = @Sendable (_ frames: [[UInt8]], _ connection: ConnectionID) -> Void

    let engine: CacheEngine
    let journal: RegistrationJournal?
    let mode: TransferMode
    /// The connection of callers in this process, which may name its memory; nil in a server.
    let directConnection: ConnectionID?
    let logger: Logger
    let send: Send
    let connections = Mutex(ConnectionHistory())
    private let complaints: Mutex<RepeatLimiterTable<String>>

    /// - Parameters:
    ///   - journal: Remembers registrations over a restart; nil for none.
    ///   - directConnection: The one connection that may register memory of this process; no transport may give its
    ///     number out. Nil for none.
    ///   - send: Takes a reply to a connection; called from any thread.
    package init(
        engine: CacheEngine, journal: RegistrationJournal?, mode: TransferMode,
        directConnection: ConnectionID? = nil, logger: Logger, send: @escaping Send
    ) {
        self.engine = engine
        self.journal = journal
        self.mode = mode
        self.directConnection = directConnection
        self.logger = logger
        self.send = send
        self.complaints = Mutex(RepeatLimiterTable(interval: .seconds(60)))
        engine.recorder.attach(deliver: { [weak self] actions in self?.deliver(actions) })
    }

    /// Notes a message's arrival, in the order of its connection. True when it may overtake others: a heartbeat must not
    /// wait behind lookups.
    package func arrived(_ frames: [[UInt8]], from connection: ConnectionID) -> Bool {
        guard frames.count >= 2 else { return false }
        self.connections.withLock { $0.requestArrived(on: connection, uid: frames[0]) }
        return CacheOperation.decode(frame: frames[1]) == .ping
    }

    /// Serves one message of a client, identity frame left out.
    ///
    /// - Parameter isStale: The client has given the request up, so nothing may touch its memory for it any more.
    package func receive(_ frames: [[UInt8]], from connection: ConnectionID, isStale: Bool = false) {
        switch RequestFrames(frames) {
        case .unreadable(let reason): self.complain("unreadable", "unreadable message: \(reason)")
        case .streamControl(let uid, let control):
            self.receiveStreamControl(control, stream: EventStreamID(connection: connection, uid: uid, operation: []))
        case .request(let request):
            let call = ServiceCall(connection: connection, request: request)
            guard let operation = request.operation else {
                self.complain("unknown", "unknown operation")
                self.engine.metrics.requestRefused(operation: "unknown", reason: "unknown_operation")
                return self.refuse(call, "unsupported operation")
            }
            if isStale, operation.movesBytes { return self.refuseStale(operation, call) }
            self.serve(operation, call)
        }
    }

    /// A connection has ended; what it owned ends with it.
    package func connectionClosed(_ connection: ConnectionID) {
        self.connections.withLock { $0.connectionClosed(connection) }
        self.engine.connectionClosed(connection)
    }

    /// Does what is due; called about ten times a second.
    package func tick() {
        for reaped in self.engine.tick() {
            self.journal?.unregistered(.cache, reaped)
            self.journal?.unregistered(.engineDriven, reaped)
        }
    }

    /// The server stops: a journal without live registrations is removed.
    package func stop() { self.journal?.close() }

    private func serve(_ operation: CacheOperation, _ call: ServiceCall) {
        switch operation {
        case .ping, .noop, .getChunkSize, .getExperimental, .clear, .reportBlockAllocation, .serverModuleCall,
            .protocolHandshake:
            self.serveControl(operation, call)
        case .lookup, .queryPrefetchStatus, .waitPrefetchStatus, .freeLookupLocks, .endSession:
            self.serveLookup(operation, call)
        case .registerKVCache, .unregisterKVCache, .registerEngineDriven, .unregisterEngineDriven:
            self.serveRegistration(operation, call)
        case .store, .retrieve:
            self.serveTransfer(operation, call)
        case .prepareStore, .commitStore, .prepareRetrieve, .commitRetrieve:
            self.serveEngineDriven(operation, call)
        case .subscribeKVEvents:
            self.serveSubscription(call)
        case .registerQCache, .unregisterQCache, .storeQ, .registerRope, .unregisterRope, .retrievePreComputed,
            .unifiedLookup, .reorderPlan, .peerLookupAndLock, .peerQueryLookupResults, .peerUnlockObjects:
            self.serveUnsupported(operation, call)
        }
    }

    // MARK: Replies

    func answer(_ call: ServiceCall, _ reply: some OperationReply) {
        self.send(call.request.reply(reply.encoded()), call.connection)
    }

    /// The one in-band error that a client understands: a reply under another operation's name.
    func refuse(_ call: ServiceCall, _ reason: String) {
        self.send(call.request.refusal(reason), call.connection)
    }

    /// Decodes the payloads of a request that has got its reply already; nil, logged and counted, when it cannot be read.
    func readable<Request: OperationRequest>(
        _ type: Request.Type, _ operation: CacheOperation, _ call: ServiceCall
    ) -> Request? {
        do {
            return try Request(payloads: call.request.payloads)
        } catch {
            self.complain(operation.rawValue, "\(operation.rawValue): \(error)")
            self.engine.metrics.requestRefused(operation: operation.rawValue, reason: "undecodable")
            return nil
        }
    }

    /// Decodes a request's payloads; on failure the client has got its reply and nil is returned.
    func decoded<Request: OperationRequest>(
        _ type: Request.Type, _ operation: CacheOperation, _ call: ServiceCall
    ) -> Request? {
        do {
            return try Request(payloads: call.request.payloads)
        } catch {
            self.complain(operation.rawValue, "\(operation.rawValue): \(error)")
            self.fail(operation, call, String(describing: error), reason: "undecodable")
            return nil
        }
    }

    /// Answers a request that is not carried out, in the way its callers can bear.
    func fail(_ operation: CacheOperation, _ call: ServiceCall, _ text: String, reason: StaticString) {
        self.engine.metrics.requestRefused(operation: operation.rawValue, reason: reason)
        switch operation.failureReply(incarnation: self.engine.recorder.report().incarnation) {
        case .value(let value): self.send(call.request.reply(value), call.connection)
        case .refusal: self.refuse(call, text)
        }
    }

    /// Logs what a client did wrong, at most once a minute for each kind.
    func complain(_ kind: String, _ text: String) {
        let now = self.engine.now
        switch self.complaints.withLock({ $0.admit(kind, now: now) }) {
        case .write(let suppressed):
            let more = suppressed > 0 ? " (and \(suppressed) more of this kind)" : ""
            self.logger.warning("Refused: \(text)\(more)")
        case .suppress: break
        }
    }
}
