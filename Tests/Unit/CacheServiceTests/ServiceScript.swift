// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheProtocol
import CacheService
import EngineTestSupport
import KVModel
import Logging
import Synchronization

/// A service over a simulated server: frames go in, frames come out.
final class ServiceScript: Sendable {
    static let client = ConnectionID(7)

    let server: SimulatedServer
    let service: CacheService
    let log = LineCollector()
    private let sent = Answers<(frames: [[UInt8]], connection: ConnectionID)>()
    private let nextUID = Mutex<UInt64>(0)

    init(
        mode: TransferMode = .auto, journal: RegistrationJournal? = nil, directConnection: ConnectionID? = nil,
        _ change: (inout SimulatedServer.Settings) -> Void = { _ in }
    ) throws {
        var settings = SimulatedServer.Settings()
        change(&settings)
        let (log, sent) = (self.log, self.sent)
        settings.logger = Logger(label: "service") { _ in CollectingLogHandler(lines: log) }
        self.server = try SimulatedServer(settings)
        self.service = CacheService(
            engine: self.server.engine, journal: journal, mode: mode, directConnection: directConnection,
            logger: settings.logger,
            send: { frames, connection in sent.add((frames, connection)) })
    }

    /// Everything sent to one client, in order.
    func sent(to connection: ConnectionID = ServiceScript.client) -> [[[UInt8]]] {
        self.sent.all.filter { $0.connection == connection }.map(\.frames)
    }

    /// Sends frames and returns what came back for them, once all copies have run.
    func exchange(_ frames: [[UInt8]], from connection: ConnectionID = ServiceScript.client) -> [[[UInt8]]] {
        let before = self.sent(to: connection).count
        self.service.receive(frames, from: connection)
        self.server.device.runAll()
        return Array(self.sent(to: connection).dropFirst(before))
    }

    /// Sends a request and returns its only reply.
    func ask(
        _ operation: CacheOperation, _ request: some OperationRequest,
        from connection: ConnectionID = ServiceScript.client
    ) -> ReplyFrames.Outcome? {
        let uid = self.nextUID.withLock { uid in
            uid += 1
            return uid
        }
        let replies = self.exchange(RequestFrames.encode(uid: uid, operation: operation, request), from: connection)
        guard replies.count == 1, let reply = ReplyFrames(replies[0]), reply.uid == uid else { return nil }
        return reply.outcome
    }

    /// The decoded value of a request's only reply.
    func value<Reply: OperationReply>(
        _ operation: CacheOperation, _ request: some OperationRequest, as type: Reply.Type,
        from connection: ConnectionID = ServiceScript.client
    ) -> Reply? {
        guard case .value(operation, let frame) = self.ask(operation, request, from: connection) else { return nil }
        return try? Reply(frame: frame)
    }

    func stop() { self.server.stop() }
}

/// Lines that were logged, with their levels.
final class LineCollector: Sendable {
    private let lines = Mutex<[(level: Logger.Level, text: String)]>([])

    func add(_ level: Logger.Level, _ text: String) { self.lines.withLock { $0.append((level, text)) } }

    func warnings(containing text: String) -> [String] {
        self.lines.withLock { $0.filter { $0.level >= .warning && $0.text.contains(text) }.map(\.text) }
    }
}

struct CollectingLogHandler: LogHandler {
    let lines: LineCollector
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(lines: LineCollector) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.lines.add(event.level, "\(event.message)") }
}
