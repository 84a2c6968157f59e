// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization

@testable import ZMQTransport

/// Records what it is given and answers as it is told.
final class TestReceiver: MessageReceiver {
    enum Event: Equatable {
        case received(ConnectionID, [[UInt8]])
        case closed(ConnectionID)
    }

    struct Record: Sendable {
        var events: [Event] = []
        var ticks = 0

        var messages: [[[UInt8]]] {
            self.events.compactMap { if case .received(_, let frames) = $0 { frames } else { nil } }
        }

        var senders: [ConnectionID] {
            self.events.compactMap { if case .received(let connection, _) = $0 { connection } else { nil } }
        }

        var closed: [ConnectionID] {
            self.events.compactMap { if case .closed(let connection) = $0 { connection } else { nil } }
        }
    }

    typealias Answer = @Sendable (InboundMessage, RouterServer) -> Void

    let record = Watched(Record())
    private let server = Mutex<RouterServer?>(nil)
    private let answer: Answer

    /// Messages whose first frame is this are urgent.
    static let urgent: [UInt8] = [0xff]

    init(answer: @escaping Answer = { message, server in server.send(message.frames, to: message.connection) }) {
        self.answer = answer
    }

    func serve(with server: RouterServer?) { self.server.withLock { $0 = server } }

    func arrived(_ message: InboundMessage) -> Bool { message.frames.first == TestReceiver.urgent }

    func received(_ message: InboundMessage) {
        self.record.update { $0.events.append(.received(message.connection, message.frames)) }
        if let server = self.server.withLock({ $0 }) { self.answer(message, server) }
    }

    func connectionClosed(_ connection: ConnectionID) {
        self.record.update { $0.events.append(.closed(connection)) }
    }

    func tick() { self.record.update { $0.ticks += 1 } }
}

/// A running server, stopped when it goes out of scope.
final class RunningServer {
    let server: RouterServer
    let receiver: TestReceiver

    var endpoint: String { self.server.boundEndpoints[0] }

    init(
        endpoints: [String] = ["tcp://127.0.0.1:*"],
        receiver: TestReceiver = TestReceiver(),
        configure: (inout RouterServer.Configuration) -> Void = { _ in },
        uptime: @escaping @Sendable () -> Duration = { .zero }
    ) throws {
        var configuration = RouterServer.Configuration(endpoints: endpoints)
        configuration.lingerMilliseconds = 100
        configure(&configuration)
        self.receiver = receiver
        self.server = try RouterServer(configuration: configuration, receiver: receiver, uptime: uptime)
        receiver.serve(with: self.server)
        self.server.start()
    }

    deinit { self.stop() }

    func stop() {
        self.server.stop()
        self.receiver.serve(with: nil)
    }

    /// Waits for a state of the counters, looked at on every event and tick.
    func waitForStatistics(_ holds: (RouterStatistics) -> Bool) -> Bool {
        self.receiver.record.wait { _ in holds(self.server.statistics()) }
    }
}
