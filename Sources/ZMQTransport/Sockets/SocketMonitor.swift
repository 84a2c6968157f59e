// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ

/// Reads what a socket's I/O thread reports about its connections.
final class SocketMonitor {
    enum Event: Equatable {
        case accepted(descriptor: Int32)
        case disconnected(descriptor: Int32)
        case handshakeFailed
        case acceptFailed
    }

    let socket: ZMQSocket
    private let frame = ZMQFrame()

    /// Starts watching `watched`, before it binds so that no connection is missed.
    init(watching watched: ZMQSocket, context: ZMQContext) throws(TransportError) {
        let address = "inproc://connection-events"
        let events =
            ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPT_FAILED
            | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
            | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        guard zmq_socket_monitor(watched.handle, address, events) == 0 else {
            throw .system(call: "zmq_socket_monitor", reason: ZMQFault.last.text)
        }
        self.socket = try context.openSocket(ZMQ_PAIR)
        // Without a limit: a full queue would make the I/O thread wait for the control thread.
        self.socket.set(ZMQ_RCVHWM, to: 0)
        self.socket.set(ZMQ_LINGER, to: 0)
        if let fault = self.socket.connect(address) {
            throw .system(call: "zmq_connect to the socket monitor", reason: fault.text)
        }
    }

    /// The oldest event that was not read, or nil.
    func next() -> Event? {
        while self.socket.receive(into: self.frame, waiting: false) {
            let event = SocketMonitor.decode(self.frame.copyBytes())
            while self.frame.hasMore, self.socket.receive(into: self.frame, waiting: false) {}
            if let event { return event }
        }
        return nil
    }

    /// Decodes an event frame: 16 bits of event, 32 bits of value, both in the machine's byte order.
    static func decode(_ bytes: [UInt8]) -> Event? {
        guard bytes.count == 6 else { return nil }
        let number = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 2, as: Int32.self) }
        switch Int32(number) {
        case ZMQ_EVENT_ACCEPTED: return .accepted(descriptor: value)
        case ZMQ_EVENT_DISCONNECTED: return .disconnected(descriptor: value)
        case ZMQ_EVENT_ACCEPT_FAILED: return .acceptFailed
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
            ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return .handshakeFailed
        default: return nil
        }
    }
}
