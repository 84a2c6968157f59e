// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2RESP
import L2Storage
import Synchronization
import Testing

/// Against two scripted servers that play a cluster.
@Suite struct RESPClusterTests {
    private static func adapter(_ port: UInt16) -> ThreadedL2Adapter {
        var configuration = RESPConfiguration(
            kind: .valkey, endpoints: [RESPEndpoint(host: "127.0.0.1", port: port)])
        configuration.isCluster = true
        configuration.workers = 1
        return RESPAdapter.start(configuration)
    }

    private static func slots(_ port: UInt16) -> String {
        "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:\(port)\r\n"
    }

    /// A server that has every object, and keeps what it was asked.
    private static func owner(_ asked: Asked) -> ScriptedServer {
        ScriptedServer { _, peer in
            while let command = peer.readCommand() {
                asked.add(command[0])
                switch command[0] {
                case "GET": peer.send("$8\r\n12345678\r\n")
                case "ASKING": peer.send("+OK\r\n")
                default: peer.send(":8\r\n")
                }
            }
        }
    }

    @Test(arguments: ["MOVED", "ASK"])
    func redirectionsAreFollowed(_ word: String) {
        let asked = Asked()
        let other = Self.owner(asked)
        let port = other.port
        let first = ScriptedServer { _, peer in
            while let command = peer.readCommand() {
                // It claims every slot and then has none.
                peer.send(command[0] == "CLUSTER" ? "-ERR not now\r\n" : "-\(word) 1 127.0.0.1:\(port)\r\n")
            }
        }
        let adapter = Self.adapter(first.port)
        let blank = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 8))
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: 8)])
        expectContent(blank.buffer.content, equals: Array("12345678".utf8))
        #expect(asked.all == (word == "ASK" ? ["ASKING", "GET"] : ["GET"]))
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aMapSendsCommandsToTheirOwnerDirectly() {
        let asked = Asked()
        let other = Self.owner(asked)
        let port = other.port
        let first = ScriptedServer { _, peer in
            while let command = peer.readCommand() {
                peer.send(command[0] == "CLUSTER" ? Self.slots(port) : "-ERR not mine\r\n")
            }
        }
        let adapter = Self.adapter(first.port)
        let probes = (0..<50).map { L2Probe(key: L2ConformanceSuite.key($0), byteCount: 8) }
        #expect(adapter.perform(.lookup(probes)).haveAllSucceeded)
        #expect(asked.all.count == 50)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func serversThatPointAtEachOtherForEverFailTheCommand() {
        let ports = Mutex<[UInt16]>([])
        let servers = (0..<2).map { index in
            ScriptedServer { _, peer in
                while let command = peer.readCommand() {
                    let other = ports.withLock { $0[1 - index] }
                    peer.send(command[0] == "CLUSTER" ? "-ERR\r\n" : "-MOVED 1 127.0.0.1:\(other)\r\n")
                }
            }
        }
        ports.withLock { $0 = servers.map(\.port) }
        let adapter = Self.adapter(servers[0].port)
        let blank = L2Object(key: L2ConformanceSuite.key(1), buffer: L2Buffer(byteCount: 8))
        #expect(adapter.perform(.load([blank])) == [.failed(.unavailable)])
        #expect(adapter.close(milliseconds: 10_000))
    }
}

/// Keeps the commands that a server was asked.
private final class Asked: Sendable {
    private let words = Mutex<[String]>([])
    var all: [String] { self.words.withLock { $0 } }
    func add(_ word: String) { self.words.withLock { $0.append(word) } }
}
