// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import Glibc

/// A DEALER socket for one thread at a time: the command line, tests, benchmarks.
///
/// Reconnects by itself. Messages sent while the server is away wait in a queue.
package final class DealerClient {
    /// Messages that came while another reply was waited for; older ones are dropped beyond this many.
    private static let asideLimit = 1_024

    /// Where it connects.
    package let endpoint: String
    private let group: DealerGroup
    private let socket: ZMQSocket
    private let frame = ZMQFrame()
    private var aside: [[[UInt8]]] = []
    private var lastUID: UInt64?
    private var receiveTimeout: Int?
    private var isClosed = false

    /// Sets up a connection, which is made in the background.
    ///
    /// - Parameters:
    ///   - endpoint: `tcp://host:port`, `host:port` or `ipc:///path`.
    ///   - group: Clients of one group share an I/O thread, as an engine's clients do; nil for a thread of its own.
    ///   - lingerMilliseconds: How long `close()` waits for unsent messages.
    ///   - sendTimeoutMilliseconds: How long a send waits for room in the queue.
    package init(
        endpoint: String,
        group: DealerGroup? = nil,
        lingerMilliseconds: Int = 1_000,
        sendTimeoutMilliseconds: Int = 5_000
    ) throws(TransportError) {
        let parsed = try Endpoint(parsing: endpoint)
        switch parsed {
        case .tcp("*", _), .tcp(_, 0):
            throw .invalidEndpoint(endpoint: endpoint, reason: "a client needs a host and a port above 0")
        default: break
        }
        self.endpoint = endpoint
        if let group { self.group = group } else { self.group = try DealerGroup() }
        self.socket = try self.group.context.openSocket(ZMQ_DEALER)
        // As the clients of engines do (wire protocol, 1.1).
        self.socket.set(ZMQ_CONNECT_TIMEOUT, to: 5_000)
        self.socket.set(ZMQ_RECONNECT_IVL_MAX, to: 1_000)
        self.socket.set(ZMQ_LINGER, to: max(lingerMilliseconds, 0))
        self.socket.set(ZMQ_SNDTIMEO, to: max(sendTimeoutMilliseconds, 0))
        self.socket.set(ZMQ_IPV6, to: parsed.isIPv6 ? 1 : 0)
        if let fault = self.socket.connect(parsed.libraryText) {
            throw .cannotConnect(endpoint: endpoint, reason: fault.text)
        }
    }

    deinit { self.close() }

    /// Queues one message of at least one frame.
    package func send(_ frames: [[UInt8]]) throws(TransportError) {
        precondition(!frames.isEmpty, "a message has at least one frame")
        if self.isClosed { throw .closed(endpoint: self.endpoint) }
        guard self.socket.send(frames, waiting: true) == .sent else { throw .sendTimedOut(endpoint: self.endpoint) }
    }

    /// The next message, or nil when none came in time.
    ///
    /// A negative time waits for ever.
    package func receive(timeoutMilliseconds: Int) throws(TransportError) -> [[UInt8]]? {
        if !self.aside.isEmpty { return self.aside.removeFirst() }
        return try self.receiveFresh(until: self.deadline(timeoutMilliseconds))
    }

    /// Sends `frames` behind a fresh uid frame and waits for the message that starts with that uid.
    ///
    /// - Returns: The reply without its uid frame, or nil when none came in time. Other messages that arrive meanwhile
    ///   are kept for `receive`.
    package func request(_ frames: [[UInt8]], timeoutMilliseconds: Int) throws(TransportError) -> [[UInt8]]? {
        let uid = self.nextUID()
        try self.send([uid] + frames)
        let deadline = self.deadline(timeoutMilliseconds)
        while let message = try self.receiveFresh(until: deadline) {
            if message.first == uid { return Array(message.dropFirst()) }
            if self.aside.count == Self.asideLimit { self.aside.removeFirst() }
            self.aside.append(message)
        }
        return nil
    }

    /// A uid that this client has not used: a MessagePack unsigned integer in shortest form, counted from 0.
    package func nextUID() -> [UInt8] {
        let number = self.lastUID.map { $0 &+ 1 } ?? 0
        self.lastUID = number
        return shortestUnsigned(number)
    }

    /// Closes the socket.
    ///
    /// Later calls of other methods throw `.closed`.
    package func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.socket.close()
    }

    private func deadline(_ timeoutMilliseconds: Int) -> Duration? {
        timeoutMilliseconds < 0 ? nil : MonotonicTime.now() + .milliseconds(timeoutMilliseconds)
    }

    private func receiveFresh(until deadline: Duration?) throws(TransportError) -> [[UInt8]]? {
        if self.isClosed { throw .closed(endpoint: self.endpoint) }
        while true {
            var left = -1
            if let deadline { left = max(0, Int((deadline - MonotonicTime.now()) / .milliseconds(1))) }
            if left != self.receiveTimeout {
                self.socket.set(ZMQ_RCVTIMEO, to: left)
                self.receiveTimeout = left
            }
            if self.socket.receive(into: self.frame, waiting: true) { return self.readRest() }
            if left == 0 { return nil }
        }
    }

    private func readRest() -> [[UInt8]] {
        var frames = [self.frame.copyBytes()]
        while self.frame.hasMore, self.socket.receive(into: self.frame, waiting: false) {
            frames.append(self.frame.copyBytes())
        }
        return frames
    }
}

/// MessagePack's shortest form of an unsigned integer.
func shortestUnsigned(_ number: UInt64) -> [UInt8] {
    func bigEndian(_ byteCount: Int) -> [UInt8] {
        (0..<byteCount).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
    }
    switch number {
    case 0...0x7f: return bigEndian(1)
    case ...0xff: return [0xcc] + bigEndian(1)
    case ...0xffff: return [0xcd] + bigEndian(2)
    case ...0xffff_ffff: return [0xce] + bigEndian(4)
    default: return [0xcf] + bigEndian(8)
    }
}
