// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import KVModel
import Testing

@testable import ZMQTransport

@Suite struct QueueTests {
    private func message(_ value: UInt8) -> InboundMessage {
        InboundMessage(connection: ConnectionID(1), frames: [[value]])
    }

    @Test func inboundEntriesKeepTheirOrder() {
        var queue = InboundQueue()
        var expected: [UInt8] = []
        var seen: [UInt8] = []
        for round in 0..<1_000 {
            queue.append(.message(self.message(UInt8(truncatingIfNeeded: round)), byteCount: 1))
            expected.append(UInt8(truncatingIfNeeded: round))
            if round.isMultiple(of: 3), case .message(let message, _)? = queue.popFirst() {
                seen.append(message.frames[0][0])
            }
        }
        while case .message(let message, _)? = queue.popFirst() { seen.append(message.frames[0][0]) }
        #expect(seen == expected)
        #expect(queue.isEmpty)
        #expect(queue.messageCount == 0)
    }

    @Test func inboundIsFullByCountAndByBytesAndNeverByClosings() {
        var queue = InboundQueue()
        for _ in 0..<InboundQueue.messageLimit { queue.append(.closed(ConnectionID(1))) }
        #expect(!queue.isFull)
        for _ in 0..<InboundQueue.messageLimit { queue.append(.message(self.message(1), byteCount: 1)) }
        #expect(queue.isFull)
        var large = InboundQueue()
        large.append(.message(self.message(1), byteCount: InboundQueue.byteLimit))
        #expect(large.isFull)
        _ = large.popFirst()
        #expect(!large.isFull)
        #expect(large.popFirst() == nil)
    }

    @Test func whatWaitsIsMarkedStaleAndNothingElse() {
        var queue = InboundQueue()
        for value in 0..<3 as Range<UInt8> { queue.append(.message(self.message(value), byteCount: 1)) }
        queue.append(.closed(ConnectionID(1)))
        _ = queue.popFirst()
        queue.markStale()
        queue.append(.message(self.message(3), byteCount: 1))
        var seen: [Bool?] = []
        while let entry = queue.popFirst() {
            if case .message(let message, _) = entry { seen.append(message.isStale) } else { seen.append(nil) }
        }
        #expect(seen == [true, true, nil, false])
        #expect(queue.messageCount == 0)
    }

    @Test func outboundRefusesWhenFullOrClosed() throws {
        let queue = try OutboundQueue(capacity: 2)
        let item = OutboundQueue.Item(frames: [[1]], connection: ConnectionID(1))
        #expect(queue.push(item) == .queued)
        #expect(queue.push(item) == .queued)
        #expect(queue.push(item) == .full)
        queue.close()
        #expect(queue.push(item) == .closed)
        let taken = queue.takeAll()
        #expect(taken.items.count == 2)
        #expect(taken.isClosed)
        #expect(queue.takeAll().items.isEmpty)
    }

    @Test func monitorEventsDecode() {
        func frame(_ event: Int32, _ value: Int32) -> [UInt8] {
            withUnsafeBytes(of: UInt16(event)) { Array($0) } + withUnsafeBytes(of: value) { Array($0) }
        }
        #expect(SocketMonitor.decode(frame(ZMQ_EVENT_ACCEPTED, 9)) == .accepted(descriptor: 9))
        #expect(SocketMonitor.decode(frame(ZMQ_EVENT_DISCONNECTED, 9)) == .disconnected(descriptor: 9))
        #expect(SocketMonitor.decode(frame(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 1)) == .handshakeFailed)
        #expect(SocketMonitor.decode(frame(ZMQ_EVENT_ACCEPT_FAILED, 24)) == .acceptFailed)
        #expect(SocketMonitor.decode(frame(ZMQ_EVENT_LISTENING, 3)) == nil)
        #expect(SocketMonitor.decode([1, 2, 3]) == nil)
        #expect(SocketMonitor.decode([]) == nil)
    }
}
