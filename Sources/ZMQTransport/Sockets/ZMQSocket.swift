// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import Glibc

/// A libzmq socket. One thread at a time, with a memory barrier between threads.
final class ZMQSocket {
    /// What became of a message or frame.
    enum SendOutcome: Equatable {
        case sent
        /// The peer's queue is full.
        case full
        /// The peer is not connected, or the socket is closing.
        case gone
    }

    /// Frames from this size on are lent to the library instead of being copied by it.
    static let lendingThreshold = 64 << 10

    let handle: UnsafeMutableRawPointer
    private let context: ZMQContext
    private var isOpen = true

    init(handle: UnsafeMutableRawPointer, context: ZMQContext) {
        self.handle = handle
        self.context = context
    }

    deinit { self.close() }

    func close() {
        guard self.isOpen else { return }
        self.isOpen = false
        zmq_close(self.handle)
    }

    /// Sets an `int` option. The options used here are refused only when the library lacks them.
    func set(_ option: Int32, to value: Int) {
        var number = Int32(clamping: value)
        let result = zmq_setsockopt(self.handle, option, &number, MemoryLayout<Int32>.size)
        precondition(result == 0, "libzmq refuses option \(option) = \(value): \(ZMQFault.last.text)")
    }

    /// Sets the option ZMQ_MAXMSGSIZE, the only one of 64 bits.
    func setMaximumMessageBytes(_ count: Int) {
        var number = Int64(count)
        let result = zmq_setsockopt(self.handle, ZMQ_MAXMSGSIZE, &number, MemoryLayout<Int64>.size)
        precondition(result == 0, "libzmq refuses ZMQ_MAXMSGSIZE = \(count): \(ZMQFault.last.text)")
    }

    /// The endpoint of the last bind, with its port resolved.
    var lastEndpoint: String? {
        var text = [UInt8](repeating: 0, count: 512)
        var count = text.count
        guard zmq_getsockopt(self.handle, ZMQ_LAST_ENDPOINT, &text, &count) == 0 else { return nil }
        return String(decoding: text.prefix(count).prefix { $0 != 0 }, as: UTF8.self)
    }

    func bind(_ endpoint: String) -> ZMQFault? {
        zmq_bind(self.handle, endpoint) == 0 ? nil : .last
    }

    func connect(_ endpoint: String) -> ZMQFault? {
        zmq_connect(self.handle, endpoint) == 0 ? nil : .last
    }

    /// Receives one frame. False when none came: at once with `waiting` false, else after the socket's time limit.
    func receive(into frame: borrowing ZMQFrame, waiting: Bool) -> Bool {
        while zmq_msg_recv(frame.message, self.handle, waiting ? 0 : ZMQ_DONTWAIT) < 0 {
            // A wait that a signal ends is the caller's to repeat, with the time that is left.
            if waiting || zmq_errno() != EINTR { return false }
        }
        return true
    }

    /// Sends a message. With `identity` the socket is a ROUTER.
    func send(
        _ frames: [[UInt8]],
        to identity: [UInt8]? = nil,
        waiting: Bool = false,
        account: PeerAccount? = nil
    ) -> SendOutcome {
        guard !frames.isEmpty else { return .sent }
        let flags = waiting ? 0 : ZMQ_DONTWAIT
        if let identity {
            let outcome = self.sendFrame(identity, flags: flags | ZMQ_SNDMORE, account: nil)
            if outcome != .sent { return outcome }
        }
        for (index, frame) in frames.enumerated() {
            let isLast = index == frames.count - 1
            let outcome = self.sendFrame(frame, flags: isLast ? flags : flags | ZMQ_SNDMORE, account: account)
            // Only a first frame is refused: the library takes or drops a message as a whole.
            if outcome != .sent { return outcome }
        }
        return .sent
    }

    private func sendFrame(_ bytes: [UInt8], flags: Int32, account: PeerAccount?) -> SendOutcome {
        if bytes.count < ZMQSocket.lendingThreshold {
            return self.repeated { bytes.withUnsafeBytes { zmq_send(self.handle, $0.baseAddress, $0.count, flags) } }
        }
        let frame = ZMQFrame(lending: OutboundBuffer(copying: bytes, account: account))
        return self.repeated { zmq_msg_send(frame.message, self.handle, flags) }
    }

    private func repeated(_ call: () -> Int32) -> SendOutcome {
        while call() < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .full
            default: return .gone
            }
        }
        return .sent
    }
}
