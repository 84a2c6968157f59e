// lmcache · SPDX-License-Identifier: Apache-2.0

/// Notices that the control thread stood still, and says until when what arrives may be older than the stall.
///
/// A client that heard nothing for so long has given up its requests: carrying one out late would touch memory that it
/// uses for something else by now. A pure state machine; times are since any fixed moment, stopped time included.
struct StallWatch {
    /// How long after a stall the library may still be busy with what the kernel kept meanwhile.
    static let settling = Duration.milliseconds(500)

    private let limit: Duration
    private var lastTurn: Duration
    private var endedAt: Duration?

    /// - Parameter limit: A longer time between two turns is a stall.
    init(limit: Duration, now: Duration) {
        self.limit = limit
        self.lastTurn = now
    }

    /// Whether what comes off the socket now may have been sent before the end of a stall.
    var isSocketStale: Bool { self.endedAt != nil }

    /// The thread got here. True when it stood still since the last turn: everything that waits is stale then.
    mutating func turn(now: Duration) -> Bool {
        let isStall = now - self.lastTurn > self.limit
        self.lastTurn = now
        if isStall { self.endedAt = now }
        return isStall
    }

    /// The socket was searched and found empty.
    ///
    /// - Parameter begin: When the search began.
    mutating func foundEmpty(since begin: Duration) {
        if let endedAt = self.endedAt, begin >= endedAt + Self.settling { self.endedAt = nil }
    }
}
