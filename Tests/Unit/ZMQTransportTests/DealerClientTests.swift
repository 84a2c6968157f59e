// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import ZMQTransport

@Suite(.serialized) struct DealerClientTests {
    @Test(
        arguments: [
            (0, [0]), (127, [0x7f]), (128, [0xcc, 0x80]), (255, [0xcc, 0xff]), (256, [0xcd, 1, 0]),
            (65_535, [0xcd, 0xff, 0xff]), (65_536, [0xce, 0, 1, 0, 0]), (1 << 32, [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
            (.max, [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] as [(UInt64, [UInt8])]
    )
    func uidsAreShortestUnsignedIntegers(number: UInt64, bytes: [UInt8]) {
        #expect(shortestUnsigned(number) == bytes)
    }

    @Test func uidsCountFromZero() throws {
        let client = try DealerClient(endpoint: "tcp://127.0.0.1:1")
        #expect((0..<3).map { _ in client.nextUID() } == [[0], [1], [2]])
    }

    @Test func aRequestWithoutAServerEndsAtItsTimeout() throws {
        let client = try DealerClient(endpoint: "tcp://127.0.0.1:1", lingerMilliseconds: 0)
        #expect(try client.request([[1]], timeoutMilliseconds: 20) == nil)
        #expect(try client.receive(timeoutMilliseconds: 0) == nil)
    }

    @Test func otherMessagesAreKeptWhileAReplyIsAwaited() throws {
        let receiver = TestReceiver { message, server in
            server.send([[0xaa], [1]], to: message.connection)
            server.send(message.frames, to: message.connection)
            server.send([[0xbb], [2]], to: message.connection)
        }
        let running = try RunningServer(receiver: receiver)
        let client = try DealerClient(endpoint: running.endpoint)
        #expect(try client.request([[7]], timeoutMilliseconds: 20_000) == [[7]])
        #expect(try client.receive(timeoutMilliseconds: 20_000) == [[0xaa], [1]])
        #expect(try client.receive(timeoutMilliseconds: 20_000) == [[0xbb], [2]])
    }

    @Test func aClosedClientSaysSo() throws {
        let client = try DealerClient(endpoint: "127.0.0.1:1", lingerMilliseconds: 0)
        client.close()
        client.close()
        #expect(throws: TransportError.closed(endpoint: "127.0.0.1:1")) { try client.send([[1]]) }
        #expect(throws: TransportError.closed(endpoint: "127.0.0.1:1")) { try client.receive(timeoutMilliseconds: 0) }
    }

    @Test(arguments: ["tcp://*:5", "tcp://127.0.0.1:0", "http://a:1", "ipc://"])
    func refusesEndpointsThatCannotBeConnectedTo(endpoint: String) {
        #expect(throws: TransportError.self) { try DealerClient(endpoint: endpoint) }
    }

    @Test func aFullQueueEndsASendAtItsTimeout() throws {
        let client = try DealerClient(
            endpoint: "tcp://127.0.0.1:1",
            lingerMilliseconds: 0,
            sendTimeoutMilliseconds: 10
        )
        #expect(throws: TransportError.sendTimedOut(endpoint: "tcp://127.0.0.1:1")) {
            for _ in 0..<10_000 { try client.send([[1]]) }
        }
    }
}
