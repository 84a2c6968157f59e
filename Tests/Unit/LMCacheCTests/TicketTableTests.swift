// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import LMCacheC

@Suite struct TicketTableTests {
    private static func frames(_ number: UInt64) -> [[UInt8]] { [[UInt8(truncatingIfNeeded: number)]] }

    @Test func aReplyIsTakenOnceByNameOrInOrder() {
        var table = TicketTable(limit: 8)
        let tickets = (0..<4).compactMap { _ in table.issue() }
        #expect(tickets == [1, 2, 3, 4])
        #expect(table.take(1) == .notYet)
        #expect(table.takeAny() == nil)
        for ticket in [3, 1, 2] as [UInt64] { table.reply(Self.frames(ticket), to: ticket) }
        #expect(table.take(1) == .reply(Self.frames(1)))
        #expect(table.take(1) == .unknown)
        #expect(table.takeAny()?.ticket == 3)
        #expect(table.takeAny()?.ticket == 2)
        #expect(table.takeAny() == nil)
        #expect(table.count == 1)
    }

    @Test func givenUpTicketsLeaveNothing() {
        var table = TicketTable(limit: 2)
        let tickets = [table.issue(), table.issue(), table.issue()]
        #expect(tickets == [1, 2, nil])
        let forgotten = [table.forget(1), table.forget(1)]
        #expect(forgotten == [true, false])
        table.reply(Self.frames(1), to: 1)
        table.reply(Self.frames(9), to: 9)
        #expect(table.takeAny() == nil)
        table.reply(Self.frames(2), to: 2)
        table.reply(Self.frames(7), to: 2)
        #expect(table.take(2) == .reply(Self.frames(2)))
        #expect(table.count == 0)
        #expect(table.issue() == 3)
    }

    @Test func theEndStopsWaitingAndIssuing() {
        var table = TicketTable(limit: 4)
        _ = (table.issue(), table.issue())
        table.reply(Self.frames(1), to: 1)
        table.close()
        #expect(table.issue() == nil)
        #expect(table.take(1) == .reply(Self.frames(1)))
        #expect(table.take(2) == .closed)
        #expect(table.take(3) == .closed)
    }

    /// Every order of replying, taking and giving up of a few tickets, against a plain list.
    @Test func agreesWithAListWhateverTheOrder() {
        var seed: UInt64 = 88_172_645_463_325_252
        func next(_ bound: UInt64) -> UInt64 {
            seed ^= seed << 13
            seed ^= seed >> 7
            seed ^= seed << 17
            return seed % bound
        }
        var table = TicketTable(limit: 64)
        var waiting: Set<UInt64> = []
        var replied: [UInt64] = []
        for _ in 0..<20_000 {
            switch next(5) {
            case 0:
                if let ticket = table.issue() { waiting.insert(ticket) }
            case 1:
                guard let ticket = waiting.min() else { continue }
                waiting.remove(ticket)
                replied.append(ticket)
                table.reply(Self.frames(ticket), to: ticket)
            case 2:
                #expect(table.takeAny()?.ticket == replied.first)
                if !replied.isEmpty { replied.removeFirst() }
            case 3:
                guard let ticket = replied.last else { continue }
                replied.removeLast()
                #expect(table.take(ticket) == .reply(Self.frames(ticket)))
            default:
                guard let ticket = waiting.max() ?? replied.first else { continue }
                let wasThere = table.forget(ticket)
                #expect(wasThere)
                waiting.remove(ticket)
                replied.removeAll { $0 == ticket }
            }
            #expect(table.count == waiting.count + replied.count)
        }
    }
}
