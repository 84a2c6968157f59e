// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import ZMQTransport

/// One client in a closed loop of lookup, wait and end of session.
///
/// Engines do not wait for the end's reply; `awaitEnd` is for those who want to time it.
struct LookupCycle {
    private enum Stage { case lookup, wait }

    private let client: CacheClient
    private let prefix: Int
    private let expectedChunks: Int
    private var lookup: NumberedRequest
    private var wait = Workload.wait()
    private var end = Workload.endSession()
    private var number = 0
    private var stage = Stage.lookup
    private var uid: [UInt8] = []

    init(client: CacheClient, prefix: Int, tokens: [UInt32], expectedChunks: Int) {
        self.client = client
        self.prefix = prefix
        self.expectedChunks = expectedChunks
        self.lookup = Workload.lookup(tokens)
    }

    /// Sends the next lookup.
    mutating func begin() throws {
        self.number += 1
        self.lookup.setNumber(prefix: self.prefix, self.number)
        self.wait.setNumber(prefix: self.prefix, self.number)
        self.end.setNumber(prefix: self.prefix, self.number)
        self.stage = .lookup
        try self.send(self.lookup)
    }

    /// Waits for the reply that is due and sends what follows it; true when a lookup has its result.
    mutating func advance() throws -> Bool {
        let operation: CacheOperation = self.stage == .lookup ? .lookup : .waitPrefetchStatus
        let value = try self.reply(operation)
        if self.stage == .lookup {
            self.stage = .wait
            try self.send(self.wait)
            return false
        }
        let found = try OptionalIntReply(frame: value).value
        guard found == Int64(self.expectedChunks) else {
            throw BenchmarkError.unexpected("a lookup found \(found ?? -1) chunks, not \(self.expectedChunks)")
        }
        return true
    }

    /// Ends the session of a finished lookup.
    mutating func finish() throws { try self.send(self.end) }

    /// Waits until the session is over.
    func awaitEnd() throws { _ = try self.reply(.endSession) }

    private mutating func send(_ request: NumberedRequest) throws {
        self.uid = self.client.dealer.nextUID()
        try self.client.dealer.send([self.uid] + request.frames)
    }

    private func reply(_ operation: CacheOperation) throws -> [UInt8]? {
        while let message = try self.client.dealer.receive(timeoutMilliseconds: 60_000) {
            if message.first == self.uid { return try replyValue(message.dropFirst(), operation) }
        }
        throw BenchmarkError.noReply(operation: operation.rawValue)
    }
}
