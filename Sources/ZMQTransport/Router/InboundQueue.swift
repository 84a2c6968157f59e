// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// What waits to be handed to the receiver, in order.
struct InboundQueue {
    enum Entry {
        case message(InboundMessage, byteCount: Int)
        case closed(ConnectionID)
    }

    /// No more is taken off the socket while this many messages, or this many bytes, wait.
    static let messageLimit = 4_096
    static let byteLimit = 256 << 20

    private var entries: [Entry?] = []
    private var head = 0
    private(set) var messageCount = 0
    private var byteCount = 0

    var isEmpty: Bool { self.head == self.entries.count }
    var isFull: Bool { self.messageCount >= Self.messageLimit || self.byteCount >= Self.byteLimit }

    mutating func append(_ entry: Entry) {
        if case .message(_, let byteCount) = entry {
            self.messageCount += 1
            self.byteCount += byteCount
        }
        self.entries.append(entry)
    }

    /// Marks every message that waits as stale.
    mutating func markStale() {
        for index in self.head..<self.entries.count {
            guard case .message(var message, let byteCount) = self.entries[index] else { continue }
            message.isStale = true
            self.entries[index] = .message(message, byteCount: byteCount)
        }
    }

    mutating func popFirst() -> Entry? {
        guard self.head < self.entries.count, let entry = self.entries[self.head] else { return nil }
        self.entries[self.head] = nil
        self.head += 1
        if self.head == self.entries.count {
            self.entries.removeAll(keepingCapacity: self.head <= 1_024)
            self.head = 0
        } else if self.head > 32, self.head * 2 > self.entries.count {
            self.entries.removeFirst(self.head)
            self.head = 0
        }
        if case .message(_, let byteCount) = entry {
            self.messageCount -= 1
            self.byteCount -= byteCount
        }
        return entry
    }
}
