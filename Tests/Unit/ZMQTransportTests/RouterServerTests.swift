// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import NativeThreads
import Testing

@testable import ZMQTransport

@Suite(.serialized) struct RouterServerTests {
    @Test(
        arguments: [
            [[]], [[7]], [[1], [2]], [[], []], [[0], [0xa4], [1, 2, 3], [], [9]],
            [[UInt8](repeating: 3, count: 255), [4]],
        ] as [[[UInt8]]]
    )
    func returnsEveryFrameOfAMessage(frames: [[UInt8]]) throws {
        let running = try RunningServer()
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send(frames)
        #expect(try client.receive(timeoutMilliseconds: 20_000) == frames)
        #expect(running.receiver.record.current.messages == [frames])
    }

    @Test(arguments: [65_535, 65_536, 70_000, 1 << 20, 8 << 20])
    func carriesLargeFrames(byteCount: Int) throws {
        let directory = TemporaryDirectory()
        let running = try RunningServer(endpoints: ["tcp://127.0.0.1:0", "ipc://\(directory.path)/s"])
        var frame = [UInt8](repeating: 0, count: byteCount)
        for index in stride(from: 0, to: byteCount, by: 97) { frame[index] = UInt8(truncatingIfNeeded: index &* 31) }
        for endpoint in running.server.boundEndpoints {
            let client = try DealerClient(endpoint: endpoint)
            #expect(try client.request([[1], frame, [2]], timeoutMilliseconds: 20_000) == [[1], frame, [2]])
        }
        #expect(running.waitForStatistics { $0.messagesSent == 2 && $0.bytesSent == $0.bytesReceived })
    }

    @Test func servesSeveralClientsAndKeepsTheOrderOfEach() throws {
        let running = try RunningServer()
        let endpoint = running.endpoint
        let failures = Watched(0)
        let threads = (0..<4).map { number in
            NativeThread(name: "client") { @Sendable in
                guard let client = try? DealerClient(endpoint: endpoint) else { return failures.update { $0 += 1 } }
                for value in 0..<100 { try? client.send([[UInt8(number)], [UInt8(value)]]) }
                for value in 0..<100 {
                    let reply = try? client.receive(timeoutMilliseconds: 20_000)
                    if reply != [[UInt8(number)], [UInt8(value)]] { failures.update { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.current == 0)
        #expect(Set(running.receiver.record.current.senders).count == 4)
        #expect(running.server.statistics().messagesReceived == 400)
    }

    @Test func listensOnSeveralEndpointsAtOnce() throws {
        let directory = TemporaryDirectory()
        let running = try RunningServer(
            endpoints: ["tcp://localhost:0", "ipc://\(directory.path)/s", "tcp://127.0.0.1:*"])
        #expect(running.server.boundEndpoints[0].hasPrefix("tcp://127.0.0.1:"))
        #expect(running.server.boundEndpoints[1] == "ipc://\(directory.path)/s")
        for endpoint in running.server.boundEndpoints {
            let client = try DealerClient(endpoint: endpoint)
            #expect(try client.request([[5]], timeoutMilliseconds: 20_000) == [[5]])
        }
        #expect(Set(running.receiver.record.current.senders).count == 3)
    }

    @Test func urgentMessagesOvertakeQueuedOnes() throws {
        let gate = Watched(false)
        let receiver = TestReceiver { message, _ in
            if message.frames == [[9]] { _ = gate.wait { $0 } }
        }
        let running = try RunningServer(receiver: receiver)
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.sendMessage([[9]])
        #expect(receiver.record.wait { $0.messages == [[[9]]] })
        // One write, so that the library hands all of them over at once.
        let waiting = [[[0]], [[1]], [[2]], [TestReceiver.urgent], [[3]]] as [[[UInt8]]]
        peer.write(waiting.flatMap { RawPeer.encoded($0) })
        gate.update { $0 = true }
        #expect(receiver.record.wait { $0.messages.count == 6 })
        #expect(receiver.record.current.messages == [[[9]], [TestReceiver.urgent], [[0]], [[1]], [[2]], [[3]]])
        #expect(running.server.statistics().urgentMessages == 1)
    }

    @Test func sendsFromManyThreads() throws {
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver) { $0.sendQueueLimit = 100_000 }
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send([[1]])
        #expect(receiver.record.wait { !$0.senders.isEmpty })
        let connection = receiver.record.current.senders[0]
        let server = running.server
        let threads = (0..<4).map { number in
            NativeThread(name: "sender") { @Sendable in
                for value in 0..<500 {
                    server.send([[UInt8(number)], [UInt8(value >> 8), UInt8(value & 0xff)]], to: connection)
                }
            }
        }
        var next = [0, 0, 0, 0]
        for _ in 0..<2_000 {
            let message = try #require(try client.receive(timeoutMilliseconds: 20_000))
            let sender = Int(message[0][0])
            #expect(Int(message[1][0]) << 8 | Int(message[1][1]) == next[sender])
            next[sender] += 1
        }
        for thread in threads { thread.join() }
        #expect(next == [500, 500, 500, 500])
    }

    @Test func ticksAlsoWhileMessagesWait() throws {
        let receiver = TestReceiver { message, server in
            // Each message sends itself on: the queue is never empty.
            server.send(message.frames, to: message.connection)
        }
        let running = try RunningServer(receiver: receiver)
        let client = try DealerClient(endpoint: running.endpoint)
        for _ in 0..<50 { try client.send([[1]]) }
        while receiver.record.current.ticks < 3 {
            let message = try #require(try client.receive(timeoutMilliseconds: 20_000))
            try client.send(message)
        }
        #expect(receiver.record.current.ticks >= 3)
    }

    @Test func stopDeliversQueuedRepliesFirst() throws {
        let reply = [UInt8](repeating: 6, count: 1 << 20)
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver) { $0.lingerMilliseconds = 1_000 }
        let client = try DealerClient(endpoint: running.endpoint)
        try client.send([[1]])
        #expect(receiver.record.wait { !$0.senders.isEmpty })
        let connection = receiver.record.current.senders[0]
        let server = running.server
        for value in 0..<20 as Range<UInt8> { server.send([[value], reply], to: connection) }
        let reader = Watched<[UInt8]>([])
        let thread = NativeThread(name: "stopper") { @Sendable in server.stop() }
        for _ in 0..<20 {
            guard let message = try client.receive(timeoutMilliseconds: 20_000) else { break }
            reader.update { $0.append(message[0][0]) }
        }
        thread.join()
        #expect(reader.current == Array(0..<20))
        #expect(server.statistics().messagesSent == 20)
        #expect(server.statistics().droppedFull + server.statistics().droppedGone == 0)
    }

    @Test func stopEndsInTimeAlthoughAPeerNeverReads() throws {
        let receiver = TestReceiver { message, server in
            for _ in 0..<64 { server.send([[UInt8](repeating: 1, count: 1 << 20)], to: message.connection) }
        }
        let running = try RunningServer(receiver: receiver) { $0.lingerMilliseconds = 100 }
        let peer = try RawPeer(endpoint: running.endpoint)
        peer.handshake()
        peer.sendMessage([[1]])
        #expect(running.waitForStatistics { $0.messagesSent == 64 })
        let begin = MonotonicTime.now()
        running.stop()
        #expect(MonotonicTime.now() - begin < .seconds(5))
        peer.close()
    }

    @Test func stopWorksWithoutStartAndMoreThanOnce() throws {
        let receiver = TestReceiver()
        let server = try RouterServer(configuration: .init(endpoints: ["tcp://127.0.0.1:*"]), receiver: receiver)
        server.stop()
        server.stop()
        server.start()
        server.send([[1]], to: ConnectionID(1))
        #expect(server.statistics().droppedGone == 1)
        // The port is free again.
        let next = try RouterServer(configuration: .init(endpoints: server.boundEndpoints), receiver: receiver)
        next.stop()
    }

    @Test func clientComesBackAfterARestart() throws {
        let first = try RunningServer()
        let endpoint = first.endpoint
        let client = try DealerClient(endpoint: endpoint)
        #expect(try client.request([[1]], timeoutMilliseconds: 20_000) == [[1]])
        first.stop()
        let second = try RunningServer(endpoints: [endpoint])
        // A request written to the old connection is lost, so it is repeated.
        var reply: [[UInt8]]?
        for _ in 0..<100 where reply == nil { reply = try client.request([[2]], timeoutMilliseconds: 200) }
        #expect(reply == [[2]])
        second.stop()
    }
}
