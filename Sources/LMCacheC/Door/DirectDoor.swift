// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import CacheService
import KVModel
import NativeThreads
import Synchronization

/// Requests by function call: the caller's thread runs the request itself, replies are kept until they are taken.
///
/// To the service the door is one connection, whose requests come in order; so one thread at a time is inside.
final class DirectDoor: Sendable {
    /// No transport counts this far.
    static let connection = ConnectionID(.max)
    static let ticketLimit = 65_536

    private let service: CacheService
    private let tickets: Monitor<TicketTable>
    private let turn = Mutex(())

    init(service: CacheService, tickets: Monitor<TicketTable>) {
        self.service = service
        self.tickets = tickets
    }

    static func makeTickets() -> Monitor<TicketTable> { Monitor(TicketTable(limit: Self.ticketLimit)) }

    /// Takes a reply of the service for this door. Any thread.
    static func deliver(_ frames: [[UInt8]], to tickets: Monitor<TicketTable>) {
        guard let number = frames.first.flatMap({ RequestUID.decode(frame: $0) }), number < .max else { return }
        tickets.change { $0.reply(frames, to: number + 1) }
    }

    /// Runs a request: its frames without the request's number. Replies may come before this returns.
    ///
    /// - Returns: The ticket.
    func submit(_ frames: [[UInt8]]) throws(LibraryError) -> UInt64 {
        if CacheOperation.decode(frame: frames.first ?? []) == .subscribeKVEvents {
            throw LibraryError(.invalidArgument, "subscribe_kv_events is served by the socket only")
        }
        let ticket = self.turn.withLock { _ -> UInt64? in
            guard let ticket = self.tickets.change({ $0.issue() }) else { return nil }
            let message = [RequestUID.encode(ticket - 1)] + frames
            _ = self.service.arrived(message, from: Self.connection)
            self.service.receive(message, from: Self.connection)
            return ticket
        }
        if let ticket { return ticket }
        if self.isClosed { throw .closed }
        throw LibraryError(.tooMany, "\(Self.ticketLimit) requests have replies that nobody took")
    }

    /// The frames of a ticket's reply, the request's number left out.
    func take(_ ticket: UInt64, milliseconds: Int64) throws(LibraryError) -> ArraySlice<[UInt8]> {
        let taking = self.tickets.wait(milliseconds: milliseconds) { table -> TicketTable.Taking? in
            let taking = table.take(ticket)
            return taking == .notYet ? nil : taking
        }
        switch taking {
        case .reply(let frames): return frames.dropFirst()
        case .closed: throw .closed
        case .unknown:
            throw LibraryError(.unknownTicket, "there is no ticket \(ticket): its reply was taken, or it never was")
        case .notYet, nil: throw LibraryError(.timedOut, "no reply to ticket \(ticket) within \(milliseconds) ms")
        }
    }

    /// The oldest reply.
    func takeAny(milliseconds: Int64) throws(LibraryError) -> (ticket: UInt64, frames: ArraySlice<[UInt8]>) {
        enum Found {
            case reply(UInt64, [[UInt8]])
            case closed
        }
        let found = self.tickets.wait(milliseconds: milliseconds) { table -> Found? in
            if let (ticket, frames) = table.takeAny() { return .reply(ticket, frames) }
            return table.isClosed ? .closed : nil
        }
        switch found {
        case .reply(let ticket, let frames): return (ticket, frames.dropFirst())
        case .closed: throw .closed
        case nil: throw LibraryError(.timedOut, "no reply within \(milliseconds) ms")
        }
    }

    /// False when there is no such ticket.
    func forget(_ ticket: UInt64) -> Bool { self.tickets.change { $0.forget(ticket) } }

    /// Refuses further requests and ends all waiting; returns once no request is being run.
    func close() {
        self.tickets.change { $0.close() }
        self.turn.withLock { _ in }
    }

    var isClosed: Bool { self.tickets.wait(milliseconds: 0) { $0.isClosed } ?? false }

    var ticketCount: Int { self.tickets.wait(milliseconds: 0) { $0.count } ?? 0 }
}
