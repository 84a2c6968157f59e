// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2RESP
import L2Storage
import Synchronization
import Testing

/// Against servers that do not do what they should.
@Suite struct RESPHostileServerTests {
    /// What a server says to `GET` and to `STRLEN`, and what a load and a lookup of 8 bytes then come to.
    struct Said: Sendable {
        let name: String
        let toGet: String
        let toLength: String
        let load: L2Result
        let lookup: L2Result
        /// Whether the connection is used again.
        var keeps = true
    }

    static let said: [Said] = [
        Said(
            name: "the object", toGet: "$8\r\n12345678\r\n", toLength: ":8\r\n", load: .done(byteCount: 8),
            lookup: .done(byteCount: 8)),
        Said(name: "nothing", toGet: "$-1\r\n", toLength: ":0\r\n", load: .miss(.absent), lookup: .miss(.absent)),
        Said(
            name: "a shorter one", toGet: "$3\r\nabc\r\n", toLength: ":3\r\n", load: .miss(.wrongLength(found: 3)),
            lookup: .miss(.wrongLength(found: 3))),
        Said(
            name: "a longer one", toGet: "$20\r\n$8\r\n12345678\r\n:8\r\n++\r\n", toLength: ":20\r\n",
            load: .miss(.wrongLength(found: 20)), lookup: .miss(.wrongLength(found: 20))),
        Said(
            name: "an empty one", toGet: "$0\r\n\r\n", toLength: ":0\r\n", load: .miss(.wrongLength(found: 0)),
            lookup: .miss(.absent)),
        Said(
            name: "another type", toGet: "-WRONGTYPE no\r\n", toLength: "-WRONGTYPE no\r\n", load: .miss(.notAnObject),
            lookup: .miss(.notAnObject)),
        Said(
            name: "loading", toGet: "-LOADING wait\r\n", toLength: "-LOADING wait\r\n", load: .failed(.unavailable),
            lookup: .failed(.unavailable)),
        Said(
            name: "an empty error", toGet: "-\r\n", toLength: "-\r\n", load: .failed(.unavailable),
            lookup: .failed(.unavailable)),
        Said(
            name: "another kind of answer", toGet: ":8\r\n", toLength: "+OK\r\n", load: .failed(.unavailable),
            lookup: .failed(.unavailable)),
        Said(
            name: "arrays", toGet: "*2\r\n$8\r\n12345678\r\n*1\r\n:1\r\n", toLength: "*0\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable)),
        Said(
            name: "a negative length", toGet: "$-5\r\n", toLength: ":-5\r\n", load: .failed(.unavailable),
            lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "a length beyond all", toGet: "$9223372036854775807\r\n", toLength: ":9223372036854775808\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "no number", toGet: "$8x\r\n12345678\r\n", toLength: ":\r\n", load: .failed(.unavailable),
            lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "a string without its end", toGet: "$8\r\n12345678xx", toLength: ":8x\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "HTTP", toGet: "HTTP/1.1 400 Bad Request\r\n\r\n", toLength: "HTTP/1.1 400 Bad Request\r\n\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "a line without an end", toGet: "+" + String(repeating: "x", count: 100_000), toLength: ":\n\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "arrays in arrays", toGet: String(repeating: "*1\r\n", count: 100), toLength: "*9999999\r\n",
            load: .failed(.unavailable), lookup: .failed(.unavailable), keeps: false),
        Said(
            name: "more than asked for", toGet: "$8\r\n12345678\r\n+OK\r\n", toLength: ":8\r\n:8\r\n",
            load: .done(byteCount: 8), lookup: .done(byteCount: 8), keeps: false),
    ]

    @Test(arguments: said.indices)
    func whatAServerSaysHasADocumentedResult(_ index: Int) {
        let said = Self.said[index]
        for isWhole in [true, false] {
            let server = ScriptedServer { _, peer in
                while let command = peer.readCommand() {
                    let text = command[0] == "GET" ? said.toGet : said.toLength
                    if isWhole {
                        peer.send(text)
                    } else {
                        for byte in text.utf8.prefix(40) { peer.send([byte]) }
                        peer.send(Array(text.utf8.dropFirst(40)))
                    }
                }
            }
            let adapter = Self.adapter(server.port)
            let blank = Self.object()
            #expect(adapter.perform(.load([blank])) == [said.load], "\(said.name)")
            if said.load.isSuccess { expectContent(blank.buffer.content, equals: Array("12345678".utf8)) }
            let other = said.keeps ? adapter : Self.adapter(server.port)
            let found = other.perform(.lookup([L2Probe(key: blank.key, byteCount: 8)]))
            #expect(found == [said.lookup], "\(said.name)")
            if said.keeps { #expect(server.accepted == 1, "\(said.name)") }
            #expect(adapter.close(milliseconds: 10_000))
            #expect(other.close(milliseconds: 10_000))
        }
    }

    @Test func fullServersAndOnesThatTakeNoWritesFailAStore() {
        for (answer, result) in [
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", L2Result.failed(.full)),
            ("-READONLY You can't write against a read only replica.\r\n", .failed(.unavailable)),
            ("-MISCONF Errors writing to the AOF file\r\n", .failed(.unavailable)), ("$-1\r\n", .failed(.unavailable)),
            ("+OK\r\n", .done(byteCount: 8)),
        ] {
            let server = ScriptedServer { _, peer in
                while let command = peer.readCommand() { peer.send(command[0] == "STRLEN" ? ":0\r\n" : answer) }
            }
            let adapter = Self.adapter(server.port)
            #expect(adapter.perform(.store([Self.object()])) == [result])
            #expect(adapter.usage().usedBytes == (result.isSuccess ? 8 : 0))
            #expect(adapter.close(milliseconds: 10_000))
        }
    }

    @Test func aServerThatIsNotThereFailsAtOnceAndIsFoundWhenItComes() {
        let port = ScriptedServer { _, _ in }.port
        let messages = Messages()
        let adapter = Self.adapter(port, log: messages.log)
        for _ in 0..<20 { #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)]) }
        #expect(messages.all.count == 1)
        let server = ScriptedServer(port: port) { _, peer in Self.serve(peer) }
        Self.awaitService(adapter)
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        #expect(messages.all.count == 2)
        #expect(messages.all.last?.contains("answers again") == true)
        #expect(adapter.close(milliseconds: 10_000))
        server.stop()
    }

    @Test func aServerThatNeverAnswersFailsAfterItsTimeAndHoldsNoThread() {
        let server = ScriptedServer { number, peer in
            if number > 0 { return Self.serve(peer) }
            _ = peer.readCommand()
            _ = peer.read(1)
        }
        let adapter = Self.adapter(server.port, requestMilliseconds: 50)
        #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)])
        Self.awaitService(adapter)
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aDeadlineEndsAnExchangeAndBlamesNobody() {
        let server = ScriptedServer { number, peer in
            if number > 0 { return Self.serve(peer) }
            _ = peer.readCommand()
            _ = peer.read(1)
        }
        let messages = Messages()
        let adapter = Self.adapter(server.port, requestMilliseconds: 60_000, log: messages.log)
        let soon = MonotonicL2Clock().now().advanced(milliseconds: 50)
        // Whoever is first: the thread that gives up, or the caller's own look at the clock.
        let result = adapter.perform(.load([Self.object()]), deadline: soon)
        #expect(result == [.failed(.unavailable)] || result == [.failed(.expired)])
        #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
        #expect(messages.all == [])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func anIdleConnectionThatTheServerHasEndedIsReplacedUnnoticed() {
        for isReset in [false, true] {
            let served = Served()
            let server = ScriptedServer { number, peer in
                Self.serve(peer, commands: number == 0 ? 1 : .max)
                if isReset { peer.reset() } else { peer.close() }
                served.add()
            }
            let adapter = Self.adapter(server.port)
            #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
            while served.count == 0 {}
            #expect(adapter.perform(.load([Self.object()])) == [.done(byteCount: 8)])
            #expect(adapter.close(milliseconds: 10_000))
            server.stop()
        }
    }

    /// The conversation is cut after every possible number of bytes: nothing wrong is told and the next try succeeds.
    @Test(arguments: [false, true])
    func answersThatAreCutAnywhereFailAndTheNextTrySucceeds(_ isReset: Bool) {
        let whole = "$8\r\n12345678\r\n"
        for length in 0..<whole.utf8.count {
            let server = ScriptedServer { number, peer in
                guard number == 0 else { return Self.serve(peer) }
                _ = peer.readCommand()
                peer.send(Array(whole.utf8.prefix(length)))
                if isReset { peer.reset() }
            }
            let adapter = Self.adapter(server.port)
            #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)])
            Self.awaitService(adapter)
            let blank = Self.object()
            #expect(adapter.perform(.load([blank])) == [.done(byteCount: 8)])
            expectContent(blank.buffer.content, equals: Array("12345678".utf8))
            #expect(adapter.close(milliseconds: 10_000))
        }
    }

    @Test func answersBeforeACutCountAndThoseBehindItDoNot() {
        let server = ScriptedServer { number, peer in
            guard number == 0 else { return Self.serve(peer) }
            for _ in 0..<2 {
                _ = peer.readCommand()
                peer.send("$8\r\n12345678\r\n")
            }
            _ = peer.readCommand()
            peer.send("$8\r\n1234")
        }
        let adapter = Self.adapter(server.port)
        let objects = (0..<4).map { Self.object($0) }
        #expect(
            adapter.perform(.load(objects)) == [
                .done(byteCount: 8), .done(byteCount: 8), .failed(.unavailable), .failed(.unavailable),
            ])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func aThousandKeysAreLookedUpInOneRoundTripAConnection() {
        let counts = Mutex<[Int: Int]>([:])
        let server = ScriptedServer { number, peer in
            // Nothing is answered before everything is asked.
            for _ in 0..<125 {
                guard peer.readCommand()?[0] == "STRLEN" else { return }
                counts.withLock { $0[number, default: 0] += 1 }
            }
            peer.send(String(repeating: ":8\r\n", count: 125))
            _ = peer.read(1)
        }
        let adapter = Self.adapter(server.port, workers: 8)
        let probes = (0..<1000).map { L2Probe(key: L2ConformanceSuite.key($0), byteCount: 8) }
        #expect(adapter.perform(.lookup(probes)).haveAllSucceeded)
        let found = counts.withLock { $0.values.sorted() }
        #expect(found == Array(repeating: 125, count: 8))
        #expect(adapter.close(milliseconds: 10_000))
        server.stop()
    }

    @Test func aGreetingThatIsRefusedIsNeverFollowedByACommand() {
        let commands = Mutex<[[String]]>([])
        let server = ScriptedServer { _, peer in
            while let command = peer.readCommand() {
                commands.withLock { $0.append(command) }
                peer.send(command[0] == "AUTH" ? "-WRONGPASS invalid username-password pair\r\n" : "+OK\r\n")
            }
        }
        let messages = Messages()
        var configuration = RESPConfiguration(endpoints: [RESPEndpoint(host: "127.0.0.1", port: server.port)])
        (configuration.username, configuration.password, configuration.database) = ("me", "mine", 3)
        configuration.workers = 1
        let adapter = RESPAdapter.start(configuration, log: messages.log)
        #expect(adapter.perform(.load([Self.object()])) == [.failed(.unavailable)])
        let sent = commands.withLock { $0 }
        #expect(sent == [["AUTH", "me", "mine"], ["SELECT", "3"]])
        #expect(messages.all.first?.contains("WRONGPASS") == true)
        #expect(messages.all.first?.contains("mine") == false)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func onlyPlainCommandsOfTheOriginalWriteAndDelete() {
        let commands = Mutex<[[String]]>([])
        let server = ScriptedServer { _, peer in
            while let command = peer.readCommand() {
                commands.withLock { $0.append(command) }
                switch command[0] {
                case "SET": peer.send("+OK\r\n")
                case "STRLEN": peer.send(":0\r\n")
                default: peer.send(":1\r\n")
                }
            }
        }
        let adapter = Self.adapter(server.port)
        let key = ObjectKey(
            chunkHash: ChunkHash(words: (0x0011_2233_4455_6677, 1, 2, 3)), modelName: "meta-llama/Llama-3.1-8B",
            kvRank: KVRank(worldSize: 2, rank: 1), objectGroup: 26, cacheSalt: "tenantA")
        let object = L2Object(key: key, buffer: L2Buffer(copying: Array("12345678".utf8)))
        #expect(adapter.perform(.store([object])) == [.done(byteCount: 8)])
        #expect(adapter.perform(.delete([key])) == [.done(byteCount: 0)])
        let name =
            "meta-llama/Llama-3.1-8B@02010201@1a@0011223344556677000000000000000100000000000000020000000000000003@tenantA"
        let sent = commands.withLock { $0 }
        #expect(
            sent == [
                ["STRLEN", name], ["SET", name, "12345678"], ["STRLEN", name], ["UNLINK", name],
            ])
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func keysThatCannotBeSpelledNeverReachTheServer() {
        let server = ScriptedServer { _, peer in Self.serve(peer) }
        let adapter = Self.adapter(server.port)
        for key in [L2ConformanceSuite.key(1, model: "a@b"), L2ConformanceSuite.key(1, salt: "a@b")] {
            let object = L2Object(key: key, buffer: L2Buffer(byteCount: 8))
            #expect(adapter.perform(.store([object])) == [.failed(.unspellable)])
            #expect(adapter.perform(.load([object])) == [.failed(.unspellable)])
        }
        #expect(server.accepted == 0)
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Test func listingsThatMakeNoSenseFail() {
        for answer in [
            "*0\r\n", "*2\r\n:0\r\n*0\r\n", "*2\r\n$1\r\nx\r\n*0\r\n", "*2\r\n$1\r\n0\r\n$1\r\n0\r\n", "-ERR\r\n",
        ] {
            let server = ScriptedServer { _, peer in
                while peer.readCommand() != nil { peer.send(answer) }
            }
            let adapter = Self.adapter(server.port)
            #expect(adapter.page(L2ListQuery()) == .failure(.unavailable))
            #expect(adapter.close(milliseconds: 10_000))
        }
    }

    // MARK: Parts

    static func adapter(
        _ port: UInt16, workers: Int = 1, requestMilliseconds: Int = 5000, log: L2Log = .none
    ) -> ThreadedL2Adapter {
        var configuration = RESPConfiguration(endpoints: [RESPEndpoint(host: "127.0.0.1", port: port)])
        configuration.workers = workers
        configuration.requestMilliseconds = requestMilliseconds
        return RESPAdapter.start(configuration, log: log)
    }

    static func object(_ number: UInt64 = 1) -> L2Object {
        L2Object(key: L2ConformanceSuite.key(number), buffer: L2Buffer(byteCount: 8))
    }

    /// Answers as a server does that has every object, until the other side ends or so many commands came.
    @Sendable static func serve(_ peer: ScriptedPeer, commands: Int = .max) {
        for _ in 0..<commands {
            guard let command = peer.readCommand() else { return }
            switch command[0] {
            case "GET": peer.send("$8\r\n12345678\r\n")
            case "STRLEN": peer.send(":8\r\n")
            default: peer.send("+OK\r\n")
            }
        }
    }

    /// Asks until the pause after a failure is over.
    private static func awaitService(_ adapter: ThreadedL2Adapter) {
        let limit = MonotonicL2Clock().now().advanced(milliseconds: 20_000)
        let probe = L2Probe(key: L2ConformanceSuite.key(77), byteCount: 8)
        while adapter.perform(.lookup([probe])) == [.failed(.unavailable)], MonotonicL2Clock().now() < limit {}
    }
}

/// Counts scripts that have ended.
private final class Served: Sendable {
    private let value = Mutex(0)
    var count: Int { self.value.withLock { $0 } }
    func add() { self.value.withLock { $0 += 1 } }
}

extension ScriptedPeer {
    /// Takes one command's words, or nil when the other side has ended.
    func readCommand() -> [String]? {
        guard let head = self.read(until: "\r\n"), head.hasPrefix("*"), let count = Int(head.dropFirst().dropLast())
        else { return nil }
        var words: [String] = []
        for _ in 0..<count {
            guard let line = self.read(until: "\r\n"), let length = Int(line.dropFirst().dropLast()),
                let word = self.read(length), self.read(2) != nil
            else { return nil }
            words.append(String(decoding: word, as: UTF8.self))
        }
        return words
    }
}
