// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import ZMQTransport

@Suite struct ConnectionTableTests {
    private func identity(_ counter: UInt32) -> [UInt8] {
        [0] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: counter >> (8 * UInt32($0))) }
    }

    private func time(_ milliseconds: Int) -> Duration { .milliseconds(milliseconds) }

    @Test func aConnectionIsNumberedOnceAndSettledAfterItsEnd() {
        var table = ConnectionTable()
        table.accepted(descriptor: 7, now: self.time(0))
        #expect(table.connection(identity: self.identity(1), descriptor: 7) == nil)
        let first = table.admit(identity: self.identity(1), descriptor: 7, now: self.time(0))
        #expect(first.isNew)
        #expect(table.connection(identity: self.identity(1), descriptor: 7) == first.id)
        #expect(table.identity(of: first.id) == self.identity(1))
        #expect(table.settle(emptySince: self.time(9_000), now: self.time(9_000)).isEmpty)
        table.disconnected(descriptor: 7, now: self.time(10_000))
        #expect(table.admit(identity: self.identity(1), descriptor: 7, now: self.time(10_001)) == (first.id, false))
        #expect(table.settle(emptySince: self.time(10_049), now: self.time(10_060)).isEmpty)
        #expect(table.settle(emptySince: self.time(10_050), now: self.time(10_060)) == [first.id])
        #expect(table.settle(emptySince: self.time(10_050), now: self.time(10_060)).isEmpty)
        #expect(table.identity(of: first.id) == nil)
        #expect(table.count == 0)
    }

    @Test func aSocketThatIsNeverEmptyDelaysTheEndOnlySoLong() {
        var table = ConnectionTable()
        table.accepted(descriptor: 7, now: .zero)
        let id = table.admit(identity: self.identity(1), descriptor: 7, now: .zero).id
        table.disconnected(descriptor: 7, now: .zero)
        #expect(table.settle(emptySince: nil, now: self.time(1_999)).isEmpty)
        #expect(table.settle(emptySince: nil, now: self.time(2_000)) == [id])
    }

    @Test func theEarlierPeerOfAReusedDescriptorEndsWhicheverSpeaksFirst() {
        for counters in [(1, 2), (UInt32.max, 0)] as [(UInt32, UInt32)] {
            for earlierFirst in [true, false] {
                var table = ConnectionTable()
                table.accepted(descriptor: 7, now: .zero)
                table.disconnected(descriptor: 7, now: .zero)
                table.accepted(descriptor: 7, now: .zero)
                let order = earlierFirst ? [counters.0, counters.1] : [counters.1, counters.0]
                let ids = order.map { table.admit(identity: self.identity($0), descriptor: 7, now: .zero).id }
                let (earlier, later) = earlierFirst ? (ids[0], ids[1]) : (ids[1], ids[0])
                #expect(table.settle(emptySince: self.time(100), now: self.time(100)) == [earlier])
                table.disconnected(descriptor: 7, now: self.time(200))
                #expect(table.settle(emptySince: self.time(300), now: self.time(300)) == [later])
            }
        }
    }

    @Test func aPeerWithoutADescriptorEndsByItself() {
        var table = ConnectionTable()
        let id = table.admit(identity: self.identity(1), descriptor: -1, now: .zero).id
        #expect(table.identity(of: id) == self.identity(1))
        #expect(table.settle(emptySince: self.time(50), now: self.time(50)) == [id])
    }

    @Test func aChosenIdentityOnANewDescriptorReplacesItsEarlierConnection() {
        var table = ConnectionTable()
        table.accepted(descriptor: 7, now: .zero)
        let first = table.admit(identity: [1, 2], descriptor: 7, now: .zero).id
        table.disconnected(descriptor: 7, now: .zero)
        table.accepted(descriptor: 8, now: .zero)
        let second = table.admit(identity: [1, 2], descriptor: 8, now: .zero).id
        #expect(first != second)
        #expect(table.identity(of: first) == nil)
        #expect(table.identity(of: second) == [1, 2])
        #expect(table.settle(emptySince: self.time(50), now: self.time(50)) == [first])
        #expect(table.identity(of: second) == [1, 2])
    }

    @Test func aPeerThatCannotBeReachedEnds() {
        var table = ConnectionTable()
        table.accepted(descriptor: 7, now: .zero)
        let id = table.admit(identity: self.identity(1), descriptor: 7, now: .zero).id
        table.unreachable(id, now: .zero)
        table.unreachable(id, now: .zero)
        table.unreachable(ConnectionID(99), now: .zero)
        #expect(table.settle(emptySince: self.time(50), now: self.time(50)) == [id])
        table.disconnected(descriptor: 7, now: self.time(60))
        #expect(!table.hasEnding)
    }

    /// Peers come and go on three descriptors; the server sees their messages and events late and mixed as libzmq
    /// allows: events in order, each peer's messages in order, no message before the events up to its accept.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func everyPeerHasOneNumberAndOneEndInAnyInterleaving(seed: UInt64) {
        var random = SplitMix(state: seed)
        var world = PeerWorld(firstCounter: UInt32.max - 20)
        var table = ConnectionTable()
        var numbers: [UInt32: Set<ConnectionID>] = [:]
        var settled: [ConnectionID] = []
        var now = 0
        for step in 0..<400 {
            now += 1
            if step < 300 { world.step(&random) } else { world.endAll() }
            if random.next() % 3 == 0 { world.deliverEvents(to: &table, now: self.time(now)) }
            if let message = world.takeMessage(&random) {
                let identity = self.identity(message.counter)
                if let id = table.connection(identity: identity, descriptor: message.descriptor) {
                    numbers[message.counter, default: []].insert(id)
                } else {
                    world.deliverEvents(to: &table, now: self.time(now))
                    let id = table.admit(identity: identity, descriptor: message.descriptor, now: self.time(now)).id
                    numbers[message.counter, default: []].insert(id)
                }
            } else {
                now += 100
                world.deliverEvents(to: &table, now: self.time(now - 100))
                settled += table.settle(emptySince: self.time(now), now: self.time(now))
            }
        }
        while world.takeMessage(&random) != nil {}
        now += 1_000
        world.deliverEvents(to: &table, now: self.time(now))
        settled += table.settle(emptySince: self.time(now + 100), now: self.time(now + 100))
        let all = numbers.values.flatMap { $0 }
        #expect(numbers.values.allSatisfy { $0.count == 1 })
        #expect(Set(all).count == all.count)
        #expect(Set(settled).count == settled.count)
        #expect(table.count == 0)
        #expect(Set(settled).isSuperset(of: all))
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

private struct PeerWorld {
    struct Message: Equatable {
        let counter: UInt32
        let descriptor: Int32
    }

    private enum Event { case accepted(Int32), disconnected(Int32) }

    private var live: [Int32: UInt32] = [:]
    private var nextCounter: UInt32
    private var events: [Event] = []
    private var messages: [[Message]] = []

    init(firstCounter: UInt32) { self.nextCounter = firstCounter }

    mutating func step(_ random: inout SplitMix) {
        let descriptor = Int32(random.next() % 3)
        guard let counter = self.live[descriptor] else {
            self.live[descriptor] = self.nextCounter
            self.nextCounter &+= 1
            self.events.append(.accepted(descriptor))
            return
        }
        if random.next() % 3 == 0 {
            self.live[descriptor] = nil
            self.events.append(.disconnected(descriptor))
        } else {
            let message = Message(counter: counter, descriptor: descriptor)
            if let index = self.messages.firstIndex(where: { $0.first == message }) {
                self.messages[index].append(message)
            } else {
                self.messages.append([message])
            }
        }
    }

    mutating func endAll() {
        for descriptor in self.live.keys { self.events.append(.disconnected(descriptor)) }
        self.live = [:]
    }

    mutating func deliverEvents(to table: inout ConnectionTable, now: Duration) {
        for event in self.events {
            switch event {
            case .accepted(let descriptor): table.accepted(descriptor: descriptor, now: now)
            case .disconnected(let descriptor): table.disconnected(descriptor: descriptor, now: now)
            }
        }
        self.events = []
    }

    mutating func takeMessage(_ random: inout SplitMix) -> Message? {
        guard !self.messages.isEmpty else { return nil }
        let index = Int(random.next() % UInt64(self.messages.count))
        let message = self.messages[index].removeFirst()
        if self.messages[index].isEmpty { self.messages.remove(at: index) }
        return message
    }
}
