// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import NativeThreads
import Testing

@testable import ZMQTransport

@Suite(.serialized) struct ConnectionEndTests {
    @Test(arguments: [false, true])
    func everyConnectionIsReportedClosedOnceThoughDescriptorsAreReused(byReset: Bool) throws {
        let cycles = 200
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver)
        for cycle in 0..<cycles {
            let peer = try RawPeer(endpoint: running.endpoint)
            peer.handshake()
            peer.sendMessage([[UInt8(cycle)], [1]])
            // A reset may overtake the message: it is waited for. An orderly end may not.
            if byReset {
                #expect(receiver.record.wait { $0.messages.count == cycle + 1 })
                peer.reset()
            }
        }
        #expect(receiver.record.wait { $0.closed.count == cycles })
        let record = receiver.record.current
        #expect(record.messages.count == cycles)
        #expect(Set(record.senders).count == cycles)
        #expect(Set(record.closed) == Set(record.senders))
        #expect(running.waitForStatistics { $0.openConnections == 0 && $0.connectionsClosed == cycles })
    }

    @Test func clientsOfTheLibraryAreReportedClosedOnceOverBothTransports() throws {
        let directory = TemporaryDirectory()
        let receiver = TestReceiver()
        let running = try RunningServer(
            endpoints: ["tcp://127.0.0.1:*", "ipc://\(directory.path)/s"],
            receiver: receiver
        )
        let stays = try DealerClient(endpoint: running.endpoint)
        #expect(try stays.request([[0]], timeoutMilliseconds: 20_000) == [[0]])
        for cycle in 0..<40 {
            let client = try DealerClient(endpoint: running.server.boundEndpoints[cycle % 2])
            #expect(try client.request([[1]], timeoutMilliseconds: 20_000) == [[1]])
            client.close()
        }
        #expect(receiver.record.wait { $0.closed.count == 40 })
        #expect(try stays.request([[0]], timeoutMilliseconds: 20_000) == [[0]])
        let record = receiver.record.current
        #expect(Set(record.senders).count == 41)
        #expect(record.senders.first == record.senders.last)
        #expect(Set(record.closed).count == 40)
        #expect(!record.closed.contains(record.senders[0]))
    }

    @Test func messagesSentRightBeforeTheEndComeFirst() throws {
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver)
        for _ in 0..<20 {
            let client = try DealerClient(endpoint: running.endpoint)
            for value in 0..<50 as Range<UInt8> { try client.send([[value]]) }
            client.close()
        }
        #expect(receiver.record.wait { $0.closed.count == 20 })
        let record = receiver.record.current
        #expect(record.messages.count == 1_000)
        for connection in record.closed {
            let own = record.events.filter {
                switch $0 {
                case .received(let sender, _): sender == connection
                case .closed(let ended): ended == connection
                }
            }
            #expect(own.count == 51)
            #expect(own.last == .closed(connection))
        }
    }

    @Test func aChosenIdentityThatComesBackIsANewConnection() throws {
        let receiver = TestReceiver { _, _ in }
        let running = try RunningServer(receiver: receiver)
        for cycle in 1...3 {
            let peer = try RawPeer(endpoint: running.endpoint)
            peer.handshake(identity: Array("worker".utf8))
            peer.sendMessage([[1]])
            #expect(receiver.record.wait { $0.messages.count == cycle })
            peer.close()
            #expect(receiver.record.wait { $0.closed.count == cycle })
        }
        #expect(Set(receiver.record.current.closed).count == 3)
    }

    @Test func aStolenIdentityDoesNotDisturbItsOwner() throws {
        let running = try RunningServer()
        let owner = try RawPeer(endpoint: running.endpoint)
        owner.handshake(identity: Array("worker".utf8))
        owner.sendMessage([[1]])
        #expect(running.receiver.record.wait { $0.messages.count == 1 })
        let thief = try RawPeer(endpoint: running.endpoint)
        thief.handshake(identity: Array("worker".utf8))
        thief.sendMessage([[66]])
        let client = try DealerClient(endpoint: running.endpoint)
        #expect(try client.request([[3]], timeoutMilliseconds: 20_000) == [[3]])
        owner.sendMessage([[2]])
        #expect(running.receiver.record.wait { $0.messages.contains([[2]]) })
        let record = running.receiver.record.current
        #expect(!record.messages.contains([[66]]))
        #expect(Set(record.senders).count == 2)
    }
}
