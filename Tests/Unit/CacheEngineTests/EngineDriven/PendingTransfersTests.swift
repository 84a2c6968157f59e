// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Testing

@testable import CacheEngine

@Suite struct PendingTransfersTests {
    static func identity(instance: Int64 = 1, chunks: Range<Int> = 0..<2, hash: UInt64 = 7) -> PendingTransfers.Identity
    {
        PendingTransfers.Identity(
            instance: InstanceID(instance), namespace: NamespaceID(0), worldSize: 1, rank: 0, chunks: chunks,
            lastHash: ChunkHash(words: (hash, 0, 0, 0)))
    }

    static func entry(
        _ identity: PendingTransfers.Identity, request: String, connection: UInt64 = 1, index: UInt32 = 0,
        at seconds: Int = 0
    ) -> PendingTransfers.Entry {
        PendingTransfers.Entry(
            identity: identity, requestID: request, connection: ConnectionID(connection),
            handles: [ObjectHandle(index: index, generation: 1)], places: [], chunkIndices: [0],
            startedAt: .seconds(seconds))
    }

    @Test func pairsACommitWithItsRequestWhateverTheOrder() {
        var pending = PendingTransfers()
        let (a, b) = (Self.identity(hash: 1), Self.identity(hash: 2))
        pending.openWrite(Self.entry(a, request: "A", index: 1))
        pending.openWrite(Self.entry(b, request: "B", index: 2))
        #expect(pending.takeWrite(b, requestID: "B")?.handles.first?.index == 2)
        #expect(pending.takeWrite(a, requestID: "A")?.handles.first?.index == 1)
        #expect(pending.takeWrite(a, requestID: "A") == nil)
        #expect(pending.openCount == 0)
    }

    /// Another request's late commit must not end what this one is still writing or reading.
    @Test func takesNothingOfAnotherRequest() {
        var pending = PendingTransfers()
        let identity = Self.identity()
        pending.openWrite(Self.entry(identity, request: "mine", index: 1))
        pending.openRead(Self.entry(identity, request: "mine", index: 2))
        #expect(pending.takeWrite(identity, requestID: "late") == nil)
        #expect(pending.takeRead(identity, requestID: "late") == nil)
        #expect(pending.openCount == 2)
    }

    @Test func tellsEqualReadsApartByTheirRequests() {
        var pending = PendingTransfers()
        let identity = Self.identity()
        pending.openRead(Self.entry(identity, request: "first", index: 1))
        pending.openRead(Self.entry(identity, request: "second", index: 2))
        #expect(pending.takeRead(identity, requestID: "second")?.handles.first?.index == 2)
        #expect(pending.takeRead(identity, requestID: "first")?.handles.first?.index == 1)
    }

    @Test func aLostConnectionsWritesCanNeverBeCommitted() {
        var pending = PendingTransfers()
        let identity = Self.identity()
        pending.openWrite(Self.entry(identity, request: "A", connection: 5))
        pending.openRead(Self.entry(identity, request: "B", connection: 5, index: 3))
        pending.openWrite(Self.entry(Self.identity(hash: 9), request: "C", connection: 6))
        let lost = pending.connectionClosed(ConnectionID(5))
        #expect(lost.quarantined.map(\.requestID) == ["A"])
        #expect(lost.endedWrites.isEmpty && lost.endedReads.isEmpty)
        #expect(pending.takeWrite(identity, requestID: "A") == nil)
        #expect(pending.openCount == 1)
        #expect(pending.orphanCount == 2)
    }

    /// What can happen to a write and a read of worker 1 that were prepared on connection 5.
    enum Event: CaseIterable {
        case workerEnds, connectionCloses, commitIsOverdue, registersThere, registersElsewhere
        case otherWorkerEnds, otherConnectionCloses

        func happen(to pending: inout PendingTransfers) -> PendingTransfers.Changes {
            switch self {
            case .workerEnds: pending.workerEnded(InstanceID(1))
            case .connectionCloses: pending.connectionClosed(ConnectionID(5))
            case .commitIsOverdue: .init(quarantined: pending.expireWrites(startedBefore: .seconds(100)))
            case .registersThere: pending.workerEnded(InstanceID(1), except: ConnectionID(5))
            case .registersElsewhere: pending.workerEnded(InstanceID(1), except: ConnectionID(6))
            case .otherWorkerEnds: pending.workerEnded(InstanceID(2))
            case .otherConnectionCloses: pending.connectionClosed(ConnectionID(6))
            }
        }
    }

    /// Every order of up to four events: bytes go at the later of the two ends, once, and nothing is committed after
    /// the first.
    @Test func bytesWaitForTheWorkersEndAndTheConnections() {
        for code in 0..<7 * 7 * 7 * 7 {
            let events = [1, 7, 49, 343].map { Event.allCases[code / $0 % 7] }
            var pending = PendingTransfers()
            let (write, read) = (Self.identity(hash: 1), Self.identity(hash: 2))
            pending.openWrite(Self.entry(write, request: "W", connection: 5, index: 1))
            pending.openRead(Self.entry(read, request: "R", connection: 5, index: 2))
            var (hasEnded, isClosed, isQuarantined, isOver) = (false, false, false, false)
            for event in events {
                let changes = event.happen(to: &pending)
                hasEnded = hasEnded || event == .workerEnds || event == .registersElsewhere
                isClosed = isClosed || event == .connectionCloses
                let isLost = hasEnded || isClosed || event == .commitIsOverdue
                #expect(changes.quarantined.map(\.requestID) == (isLost && !isQuarantined ? ["W"] : []), "\(events)")
                let ends = hasEnded && isClosed && !isOver
                #expect(changes.endedWrites.map(\.requestID) == (ends ? ["W"] : []), "\(events)")
                #expect(changes.endedReads.map(\.requestID) == (ends ? ["R"] : []), "\(events)")
                isQuarantined = isQuarantined || isLost
                isOver = isOver || ends
            }
            #expect((pending.takeWrite(write, requestID: "W") != nil) == !isQuarantined, "\(events)")
            #expect((pending.takeRead(read, requestID: "R") != nil) == !hasEnded, "\(events)")
            #expect(pending.openCount == 0)
        }
    }

    @Test func forgottenWritesBecomeOrphans() {
        var pending = PendingTransfers()
        pending.openWrite(Self.entry(Self.identity(hash: 1), request: "old", at: 0))
        pending.openWrite(Self.entry(Self.identity(hash: 2), request: "new", at: 500))
        #expect(pending.expireWrites(startedBefore: .seconds(100)).map(\.requestID) == ["old"])
        #expect(pending.expireWrites(startedBefore: .seconds(100)).isEmpty)
        #expect(pending.isWriting(Self.identity(hash: 2)))
        #expect(!pending.isWriting(Self.identity(hash: 1)))
    }
}
