// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import KVModel
import Testing

private func hash(_ number: UInt64) -> ChunkHash { ChunkHash(words: (number, 1, 2, 3)) }

private func stream(_ uid: UInt8, connection: UInt64 = 1) -> EventStreamID {
    EventStreamID(connection: ConnectionID(connection), uid: [uid], operation: [0x1D])
}

@Suite struct KVSubscriptionsTests {
    private var log = KVEventLog(capacity: 64, incarnation: 5)
    private var subscriptions = KVSubscriptions(reapAfter: .seconds(120), maximumStreams: 3)

    private mutating func subscribe(
        _ instance: Int64,
        _ stream: EventStreamID,
        cursor: Int64 = 0,
        limit: Int = 8,
        at seconds: Int = 0
    ) -> [KVSubscriptionAction] {
        self.subscriptions.subscribe(
            InstanceID(instance),
            stream: stream,
            model: "m",
            cursor: cursor,
            limit: limit,
            now: .seconds(seconds),
            log: self.log
        )
    }

    private mutating func remove(_ number: UInt64, model: String = "m") -> [KVSubscriptionAction] {
        self.log.removed([hash(number)], model: model)
        return self.subscriptions.logGrew(self.log)
    }

    private func batch(after cursor: Int64, limit: Int = 8) -> KVEvents {
        self.log.batch(after: cursor, model: "m", limit: limit)
    }

    @Test mutating func sendsTheFirstBatchAtOnceAndTheNextOnlyAfterAnAck() {
        #expect(self.subscribe(1, stream(1)) == [.send(self.batch(after: 0), to: stream(1))])
        #expect(self.remove(1).isEmpty)
        #expect(self.remove(2).isEmpty)
        #expect(
            self.subscriptions.acknowledged(stream(1), log: self.log) == [.send(self.batch(after: 0), to: stream(1))]
        )
        #expect(self.subscriptions.acknowledged(stream(1), log: self.log).isEmpty)
        #expect(self.remove(3) == [.send(self.batch(after: 2), to: stream(1))])
        #expect(self.remove(4).isEmpty)
    }

    @Test mutating func batchAfterAnAckEchoesTheOperationThatOpenedTheStream() throws {
        _ = self.subscribe(1, stream(1))
        #expect(self.remove(1).isEmpty)
        let ack = EventStreamID(connection: ConnectionID(1), uid: [1], operation: [])
        let actions = self.subscriptions.acknowledged(ack, log: self.log)
        guard case .send(_, let to) = try #require(actions.first) else { return #expect(Bool(false), "no batch") }
        #expect(to.operation == [0x1D])
    }

    @Test mutating func surplusAcksAddNoCredit() {
        _ = self.subscribe(1, stream(1))
        for _ in 0..<3 { #expect(self.subscriptions.acknowledged(stream(1), log: self.log).isEmpty) }
        #expect(self.remove(1).count == 1)
        #expect(self.remove(2).isEmpty)
    }

    @Test mutating func pagesThroughABacklogOneAckAtATime() {
        for number in 0..<5 { _ = self.remove(UInt64(number)) }
        #expect(self.subscribe(1, stream(1), limit: 2) == [.send(self.batch(after: 0, limit: 2), to: stream(1))])
        for cursor in [2, 4] as [Int64] {
            let expected = self.batch(after: cursor, limit: 2)
            #expect(self.subscriptions.acknowledged(stream(1), log: self.log) == [.send(expected, to: stream(1))])
        }
        #expect(self.subscriptions.acknowledged(stream(1), log: self.log).isEmpty)
    }

    @Test mutating func othersModelsStaySilentButALossDoesNot() {
        _ = self.subscribe(1, stream(1))
        _ = self.subscriptions.acknowledged(stream(1), log: self.log)
        #expect(self.remove(1, model: "other").isEmpty)
        self.log.markLost()
        #expect(self.subscriptions.logGrew(self.log) == [.send(self.batch(after: 1), to: stream(1))])
    }

    @Test mutating func aNewSubscriptionOfTheInstanceEndsTheOld() {
        _ = self.subscribe(1, stream(1))
        let actions = self.subscribe(1, stream(2))
        #expect(actions == [.end(stream(1)), .send(self.batch(after: 0), to: stream(2))])
        #expect(self.subscriptions.count == 1)
        #expect(self.subscriptions.acknowledged(stream(1), log: self.log).isEmpty)
        // A late cancel of the old stream leaves the new one alone.
        self.subscriptions.cancelled(stream(1))
        #expect(self.subscriptions.count == 1)
        #expect(self.subscriptions.reaped(InstanceID(1)) == [.end(stream(2))])
    }

    @Test mutating func aReusedUIDNamesTheNewStreamOnly() {
        _ = self.subscribe(1, stream(1))
        #expect(self.subscribe(2, stream(1)) == [.send(self.batch(after: 0), to: stream(1))])
        #expect(self.subscriptions.count == 1)
        #expect(self.subscriptions.reaped(InstanceID(1)).isEmpty)
        #expect(self.subscriptions.reaped(InstanceID(2)) == [.end(stream(1))])
        #expect(self.subscribe(2, stream(1)).count == 1)
        #expect(self.subscribe(2, stream(1)).count == 1)
    }

    @Test mutating func uidsBelongToTheirConnection() {
        _ = self.subscribe(1, stream(1, connection: 1))
        _ = self.subscribe(2, stream(1, connection: 2))
        #expect(self.subscriptions.count == 2)
        self.subscriptions.cancelled(stream(1, connection: 2))
        #expect(self.subscriptions.reaped(InstanceID(1)).count == 1)
        #expect(self.subscriptions.reaped(InstanceID(2)).isEmpty)
    }

    @Test mutating func cancelAndUnknownControlFramesSayNothing() {
        _ = self.subscribe(1, stream(1))
        self.subscriptions.cancelled(stream(9))
        #expect(self.subscriptions.acknowledged(stream(9), log: self.log).isEmpty)
        self.subscriptions.cancelled(stream(1))
        #expect(self.subscriptions.count == 0)
        #expect(self.remove(1).isEmpty)
        #expect(self.subscriptions.reaped(InstanceID(1)).isEmpty)
    }

    @Test(arguments: [(-1, 8), (0, 0), (0, -3), (0, 1025), (Int64.min, Int.max)] as [(Int64, Int)])
    mutating func refusesBadLimitsWithADisabledBatch(cursor: Int64, limit: Int) {
        var copy = self
        let actions = copy.subscribe(1, stream(1), cursor: cursor, limit: limit)
        #expect(actions == [.send(.disabled(incarnation: 5), to: stream(1))])
        #expect(copy.subscriptions.count == 0)
    }

    @Test mutating func aLogThatIsOffAnswersOnceAndStaysSilent() {
        self.log = KVEventLog(capacity: 0, incarnation: 5)
        #expect(self.subscribe(1, stream(1)) == [.send(.disabled(incarnation: 5), to: stream(1))])
        #expect(self.subscriptions.acknowledged(stream(1), log: self.log).isEmpty)
        #expect(self.subscriptions.shutDown().isEmpty)
    }

    @Test mutating func refusesStreamsBeyondItsLimitButReplacesWithinIt() {
        for number in 1...3 { _ = self.subscribe(Int64(number), stream(UInt8(number))) }
        #expect(self.subscribe(4, stream(4)) == [.send(.disabled(incarnation: 5), to: stream(4))])
        #expect(self.subscribe(3, stream(5)).count == 2)
        #expect(self.subscriptions.count == 3)
    }

    @Test mutating func endsStreamsThatStopPinging() {
        _ = self.subscribe(2, stream(2))
        _ = self.subscribe(1, stream(1))
        _ = self.subscribe(3, stream(3), at: 60)
        #expect(self.subscriptions.due(now: .seconds(120)).isEmpty)
        self.subscriptions.pinged(InstanceID(3), now: .seconds(100))
        #expect(self.subscriptions.due(now: .seconds(121)) == [.end(stream(1)), .end(stream(2))])
        #expect(self.subscriptions.due(now: .seconds(220)).isEmpty)
        #expect(self.subscriptions.due(now: .seconds(221)) == [.end(stream(3))])
        var patient = KVSubscriptions(reapAfter: nil)
        _ = patient.subscribe(
            InstanceID(1),
            stream: stream(1),
            model: "m",
            cursor: 0,
            limit: 1,
            now: .zero,
            log: self.log
        )
        #expect(patient.due(now: .seconds(1_000_000)).isEmpty)
    }

    @Test mutating func aClosedConnectionTakesItsStreamsSilently() {
        _ = self.subscribe(1, stream(1, connection: 1))
        _ = self.subscribe(2, stream(2, connection: 2))
        self.subscriptions.connectionClosed(ConnectionID(1))
        #expect(self.subscriptions.count == 1)
        #expect(self.subscriptions.shutDown() == [.end(stream(2, connection: 2))])
        #expect(self.subscriptions.count == 0)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    mutating func everyReaderHearsEverythingOnceAndNeverWithoutCredit(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var copy = self
        var credit: [EventStreamID: Bool] = [:]
        var heard: [EventStreamID: [Int64]] = [:]
        for number in 1...3 { _ = Self.note(copy.subscribe(Int64(number), stream(UInt8(number))), &credit, &heard) }
        var stored = 0
        for _ in 0..<200 {
            if Bool.random(using: &random), stored < 60 {
                stored += 1
                let isFair = Self.note(copy.remove(UInt64(stored)), &credit, &heard)
                #expect(isFair)
            } else {
                let target = stream(UInt8.random(in: 1...3, using: &random))
                credit[target] = true
                let isFair = Self.note(copy.subscriptions.acknowledged(target, log: copy.log), &credit, &heard)
                #expect(isFair)
            }
        }
        for number in 1...3 {
            for _ in 0..<60 {
                credit[stream(UInt8(number))] = true
                let actions = copy.subscriptions.acknowledged(stream(UInt8(number)), log: copy.log)
                let isFair = Self.note(actions, &credit, &heard)
                #expect(isFair)
            }
            #expect(heard[stream(UInt8(number))] == (0..<stored).map { Int64($0) + 1 })
        }
    }

    /// Keeps the client's books.
    ///
    /// False when a batch came without credit.
    private static func note(
        _ actions: [KVSubscriptionAction],
        _ credit: inout [EventStreamID: Bool],
        _ heard: inout [EventStreamID: [Int64]]
    ) -> Bool {
        for case .send(let batch, let stream) in actions {
            guard credit[stream] != false else { return false }
            credit[stream] = false
            heard[stream, default: []] += batch.records.map(\.sequence)
        }
        return true
    }
}

/// SplitMix64.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
