// lmcache · SPDX-License-Identifier: Apache-2.0

/// What `lmcache bench l2` measures.
struct BenchmarkPlan: Equatable {
    enum Operation: String, CaseIterable, Equatable {
        case store, lookup, load

        /// The name in reports.
        var title: String { self.rawValue.prefix(1).uppercased() + self.rawValue.dropFirst() }
    }

    /// Objects of one batch.
    var keysPerSubmit = 32
    /// Batches at once in one round.
    var inFlight = 1
    var objectKiB = 256
    /// Alignment of the buffers in bytes, a power of two.
    var alignment = 1
    var rounds = 1
    /// Rounds ahead that no figure counts.
    var warmupRounds = 1
    /// Upper bound on the share of looked-up keys that a store has written.
    var lookupHitRate = 0.0
    var verifies = false
    var operations = Operation.allCases
    /// Milliseconds after which a round counts as timed out.
    var roundLimitMilliseconds: UInt64 = 60_000

    var keysPerRound: Int { self.keysPerSubmit * self.inFlight }
    var allRounds: Int { self.warmupRounds + self.rounds }
    var objectBytes: Int { self.objectKiB * 1024 }
    var roundBytes: Int { self.keysPerRound * self.objectBytes }

    /// Most bytes that the buffers of one round may take.
    static let roundByteLimit = 64 << 30
}
