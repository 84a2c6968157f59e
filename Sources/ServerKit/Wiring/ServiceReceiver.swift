// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import KVModel
import ZMQTransport

/// Hands what the request server receives to the service.
final class ServiceReceiver: MessageReceiver {
    private let service: CacheService

    init(service: CacheService) { self.service = service }

    func arrived(_ message: InboundMessage) -> Bool { self.service.arrived(message.frames, from: message.connection) }

    func received(_ message: InboundMessage) {
        self.service.receive(message.frames, from: message.connection, isStale: message.isStale)
    }

    func connectionClosed(_ connection: ConnectionID) { self.service.connectionClosed(connection) }

    func tick() { self.service.tick() }
}
