// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel

/// The prompts and keys that both servers get.
enum Workload {
    static let chunkSize = 256
    static let modelName = "benchmark"
    /// Tokens of a long prompt.
    static let longPrompt = 32_768
    /// Tokens of a prompt of the load.
    static let shortPrompt = 4_096
    static let loadClients = 8

    /// Prompt number `number`, the same in every run; first chunks differ between prompts.
    static func prompt(_ number: Int, tokenCount: Int) -> [UInt32] {
        var random = SplitMix64(UInt64(number) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
        return (0..<tokenCount).map { _ in UInt32(truncatingIfNeeded: random.next() % 150_000) }
    }

    /// A key over the whole prompt; no worker means the scheduler.
    static func key(_ tokens: [UInt32], requestID: String, worker: Int? = nil) -> CacheKey {
        CacheKey(
            modelName: Self.modelName, worldSize: 1, workerID: worker, tokenIDs: tokens, start: 0,
            end: tokens.count, requestID: requestID, readerCount: 1)
    }

    static func lookup(_ tokens: [UInt32]) -> NumberedRequest {
        NumberedRequest(.lookup) { LookupRequest(key: Self.key(tokens, requestID: $0)).encodedPayloads() }
    }

    static func wait() -> NumberedRequest {
        NumberedRequest(.waitPrefetchStatus) {
            WaitPrefetchRequest(requestID: $0, timeoutSeconds: 30).encodedPayloads()
        }
    }

    static func endSession() -> NumberedRequest {
        NumberedRequest(.endSession) { EndSessionRequest(requestID: $0).encodedPayloads() }
    }
}

/// SplitMix64: the same numbers on every run.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
