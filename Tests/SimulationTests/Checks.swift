// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

/// Collects what readers found, and counts requests and answers, from whichever thread answered.
final class Checks: Sendable {
    private struct State {
        var wrong: [(found: UInt64, expected: UInt64)] = []
        var verified = 0
        var open: [Int: Int] = [:]
        var asked = 0
        var answeredTwice = 0
    }

    private let state = Mutex(State())

    var verifiedBlocks: Int { self.state.withLock { $0.verified } }

    func note(_ found: UInt64, expected: UInt64) {
        self.state.withLock { state in
            state.verified += 1
            if found != expected { state.wrong.append((found, expected)) }
        }
    }

    /// A request that must be answered once. Returns its number.
    func asked() -> Int {
        self.state.withLock { state in
            state.asked += 1
            state.open[state.asked] = 0
            return state.asked
        }
    }

    func answered(_ number: Int) {
        self.state.withLock { state in
            if state.open.removeValue(forKey: number) == nil { state.answeredTwice += 1 }
        }
    }

    func verify(seed: UInt64) {
        let wrong = self.state.withLock { state in
            defer { state.wrong = [] }
            return state.wrong
        }
        for (found, expected) in wrong {
            Issue.record("seed \(seed): \(found) was read where \(expected) belongs")
        }
    }

    func verifyAllAnswered(seed: UInt64) {
        let (open, twice) = self.state.withLock { ($0.open.count, $0.answeredTwice) }
        #expect(open == 0, "seed \(seed): requests without an answer")
        #expect(twice == 0, "seed \(seed): requests answered twice")
    }
}
