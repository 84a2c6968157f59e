// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import KVModel
import Synchronization
import ZMQTransport

/// Hands what the socket receives to the service.
final class SocketReceiver: MessageReceiver {
    private let service: CacheService

    init(service: CacheService) { self.service = service }

    func arrived(_ message: InboundMessage) -> Bool { self.service.arrived(message.frames, from: message.connection) }

    func received(_ message: InboundMessage) {
        self.service.receive(message.frames, from: message.connection, isStale: message.isStale)
    }

    func connectionClosed(_ connection: ConnectionID) { self.service.connectionClosed(connection) }

    func tick() { self.service.tick() }
}

/// Where replies to the socket go: known only once it is bound, which is after the cache was built.
final class SocketRoute: Sendable {
    private struct Target: Sendable {
        weak var router: RouterServer?
    }

    private let target = Mutex(Target())

    /// Once, before the first message arrives.
    func connect(_ router: RouterServer) { self.target.withLock { $0.router = router } }

    /// Without a socket there is nobody who could have asked.
    func send(_ frames: [[UInt8]], to connection: ConnectionID) {
        self.target.withLock { $0.router }?.send(frames, to: connection)
    }
}
