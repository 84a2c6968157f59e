// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import NativeThreads
import Testing

@testable import ZMQTransport

@Suite(.serialized) struct HostilePeerTests {
    private func expectEcho(_ running: RunningServer) throws {
        let client = try DealerClient(endpoint: running.endpoint)
        #expect(try client.request([[1], [2]], timeoutMilliseconds: 20_000) == [[1], [2]])
    }

    @Test func aPeerThatNeverReadsBlocksNobodyElse() throws {
        let receiver = TestReceiver { message, server in
            let reply = message.frames == [[9]] ? [UInt8](repeating: 1, count: 256 << 10) : [1]
            for _ in 0..<(message.frames == [[9]] ? 200 : 1) { server.send([reply], to: message.connection) }
        }
        let running = try RunningServer(receiver: receiver) { $0.sendQueueLimit = 4 }
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.sendMessage([[9]])
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send([[1]])
        #expect(try client.receive(timeoutMilliseconds: 20_000) == [[1]])
        #expect(running.waitForStatistics { $0.droppedFull > 0 && $0.messagesSent + $0.droppedFull == 201 })
        #expect(running.server.statistics().droppedGone == 0)
        peer.close()
    }

    @Test func bytesThatWaitForOnePeerAreLimited() throws {
        let reply = [UInt8](repeating: 1, count: 1 << 20)
        let receiver = TestReceiver { message, server in
            for _ in 0..<64 { server.send([reply], to: message.connection) }
        }
        let running = try RunningServer(receiver: receiver) { $0.sendQueueBytes = 2 << 20 }
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.sendMessage([[1]])
        #expect(running.waitForStatistics { $0.messagesSent + $0.droppedFull == 64 })
        #expect(running.server.statistics().droppedFull > 0)
        #expect(running.server.statistics().messagesSent >= 2)
        peer.close()
    }

    @Test func aMessageLargerThanTheByteLimitStillGoesOutAlone() throws {
        let running = try RunningServer { $0.sendQueueBytes = 1 }
        let client = try DealerClient(endpoint: running.endpoint)
        let frame = [UInt8](repeating: 4, count: 1 << 20)
        #expect(try client.request([frame], timeoutMilliseconds: 20_000) == [frame])
        #expect(running.server.statistics().droppedFull == 0)
    }

    @Test func messagesToAPeerThatIsGoneAreDroppedAndCounted() throws {
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver)
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send([[1]])
        #expect(receiver.record.wait { !$0.senders.isEmpty })
        client.close()
        #expect(receiver.record.wait { $0.closed.count == 1 })
        let connection = receiver.record.current.senders[0]
        running.server.send([[2]], to: connection)
        running.server.send([[2]], to: ConnectionID(999))
        #expect(running.waitForStatistics { $0.droppedGone == 2 })
        #expect(running.server.statistics().messagesSent == 0)
    }

    @Test func garbageOnThePortIsSurvived() throws {
        let running = try RunningServer()
        var seed: UInt64 = 42
        let openings: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [0], [0xff], [UInt8](repeating: 0xff, count: 4_096),
            [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 9, 9], [UInt8](repeating: 0, count: 1_000),
        ]
        for round in 0..<40 {
            let peer = try RawPeer(endpoint: running.endpoint)
            if round < openings.count {
                peer.write(openings[round])
            } else {
                peer.write(
                    (0..<Int(seed % 300)).map { _ in
                        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        return UInt8(truncatingIfNeeded: seed >> 33)
                    }
                )
            }
            if round.isMultiple(of: 2) { peer.reset() } else { peer.close() }
        }
        try self.expectEcho(running)
        #expect(running.waitForStatistics { $0.handshakeFailures > 0 })
        // Some garbage is a message of ZMTP 1.0, which has no handshake: it is delivered like any other.
        #expect(running.receiver.record.wait { $0.closed.count == Set($0.senders).count })
        #expect(running.waitForStatistics { $0.openConnections == 0 })
    }

    @Test func garbageBehindAGoodHandshakeEndsOnlyThatConnection() throws {
        let running = try RunningServer()
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.sendMessage([[1]])
        #expect(running.receiver.record.wait { $0.messages.count == 1 })
        // A frame that claims 2^63 bytes.
        peer.write([0x02, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])
        #expect(peer.waitForEnd())
        #expect(running.receiver.record.wait { $0.closed.count == 1 })
        try self.expectEcho(running)
    }

    @Test func halfOpenHandshakesBlockNobody() throws {
        let running = try RunningServer()
        let silent = try (0..<8).map { _ in try RawPeer(endpoint: running.endpoint) }
        for (index, peer) in silent.enumerated() {
            peer.write(Array([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3].prefix(index)))
        }
        try self.expectEcho(running)
        #expect(running.server.statistics().connectionsOpened == 1)
        for peer in silent { peer.close() }
    }

    @Test func aMessageThatNeverEndsIsNotDelivered() throws {
        let running = try RunningServer()
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.write([1, 1, 7, 1, 1, 8])
        peer.close()
        try self.expectEcho(running)
        #expect(running.receiver.record.current.messages.count == 1)
    }

    @Test func tooLargeFramesCutTheClientOff() throws {
        let running = try RunningServer { $0.maximumMessageBytes = 1_000 }
        let client = try DealerClient(endpoint: running.endpoint)
        #expect(try client.request([[UInt8](repeating: 1, count: 900)], timeoutMilliseconds: 20_000)?.count == 1)
        try client.send([[UInt8](repeating: 1, count: 1_001)])
        #expect(running.receiver.record.wait { $0.closed.count == 1 })
        #expect(running.receiver.record.current.messages.count == 1)
    }

    @Test func messagesOfTooManyFramesOrBytesAreRefusedWithoutEndingTheConnection() throws {
        let running = try RunningServer {
            $0.maximumFrames = 4
            $0.maximumMessageBytes = 1_000
        }
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send([[1], [2], [3], [4], [5]])
        try client.send([[UInt8](repeating: 1, count: 600), [UInt8](repeating: 1, count: 600)])
        try client.send([[1], [2], [3], [4]])
        #expect(try client.receive(timeoutMilliseconds: 20_000) == [[1], [2], [3], [4]])
        #expect(running.server.statistics().messagesRefused == 2)
        #expect(running.receiver.record.current.closed.isEmpty)
    }
}
