// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which requests wait for a reply and which replies wait to be taken. A pure state machine.
///
/// Tickets count from 1; request numbers on the connection from 0, since a first number above 0 would mean a client that
/// comes back.
struct TicketTable: Sendable {
    /// What happened to a ticket that somebody wants the reply of.
    enum Taking: Equatable {
        case notYet
        /// The reply's frames, the request's number included.
        case reply([[UInt8]])
        case unknown
        case closed
    }

    private enum State {
        case waiting
        case replied([[UInt8]])
    }

    private let limit: Int
    private var states: [UInt64: State] = [:]
    /// Tickets with a reply in the order of the replies; those that were taken by name are skipped.
    private var replied: [UInt64] = []
    private var repliedHead = 0
    private var last: UInt64 = 0
    private(set) var isClosed = false

    init(limit: Int) { self.limit = limit }

    /// Tickets that were given out and neither taken nor given up.
    var count: Int { self.states.count }

    /// The next ticket; nil when too many are out.
    mutating func issue() -> UInt64? {
        guard !self.isClosed, self.states.count < self.limit else { return nil }
        self.last += 1
        self.states[self.last] = .waiting
        return self.last
    }

    /// Keeps a reply for its ticket. Replies to tickets that were given up, and second ones, are thrown away.
    mutating func reply(_ frames: [[UInt8]], to ticket: UInt64) {
        guard case .waiting? = self.states[ticket] else { return }
        self.states[ticket] = .replied(frames)
        self.replied.append(ticket)
    }

    /// The reply of one ticket, which is then no more.
    mutating func take(_ ticket: UInt64) -> Taking {
        switch self.states[ticket] {
        case .replied(let frames):
            self.states[ticket] = nil
            self.trim()
            return .reply(frames)
        case .waiting: return self.isClosed ? .closed : .notYet
        case nil: return self.isClosed ? .closed : .unknown
        }
    }

    /// The oldest reply; nil when there is none.
    mutating func takeAny() -> (ticket: UInt64, frames: [[UInt8]])? {
        self.trim()
        guard self.repliedHead < self.replied.count else { return nil }
        let ticket = self.replied[self.repliedHead]
        guard case .replied(let frames)? = self.states.removeValue(forKey: ticket) else {
            preconditionFailure("what is in the order of replies and was not taken has a reply")
        }
        self.trim()
        return (ticket, frames)
    }

    /// Gives a ticket up. False when there is none by that number.
    mutating func forget(_ ticket: UInt64) -> Bool {
        defer { self.trim() }
        return self.states.removeValue(forKey: ticket) != nil
    }

    /// No more tickets and replies; what is there may still be taken.
    mutating func close() { self.isClosed = true }

    /// Skips tickets that were taken by name or given up; the consumed front is cut off once it is the larger part.
    private mutating func trim() {
        while self.repliedHead < self.replied.count, self.states[self.replied[self.repliedHead]] == nil {
            self.repliedHead += 1
        }
        guard self.repliedHead > 32, self.repliedHead * 2 > self.replied.count else { return }
        self.replied.removeFirst(self.repliedHead)
        self.repliedHead = 0
    }
}
