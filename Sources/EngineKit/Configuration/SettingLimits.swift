// lmcache · SPDX-License-Identifier: Apache-2.0

/// The ranges that numbers in a configuration must lie in; the command line and the validation share them.
package enum SettingLimits {
    /// TCP ports; 0 lets the system choose one.
    package static let port = 0...65_535
    /// Tokens in a chunk.
    package static let chunkSize = 1...1_048_576
    /// Engine block id that stands for "no data"; -1 for none.
    package static let nullBlockID = -1...Int(Int32.max)
    /// Threads of a pool.
    package static let workers = 1...4096
    /// Records of the KV-event log; 0 turns the feed off.
    package static let eventLogSize = 0...16_777_216
    /// Size of the pool in GiB, above the lower bound.
    package static let poolGiB = 0.0...65_536.0
    /// Alignment of objects in the pool; powers of two only.
    package static let alignment = 4096...2_097_152
    /// Whole seconds of a lifetime.
    package static let lifetimeSeconds = 1...31_536_000
    /// Seconds with a fraction, above the lower bound.
    package static let seconds = 0.0...31_536_000.0
    /// Time that a lookup may wait for L2, above the lower bound; clients wait 300 seconds.
    package static let prefetchSeconds = 0.0...240.0
    /// A ratio, above the lower bound.
    package static let ratio = 0.0...1.0
    /// Queue lengths, file counts and byte limits that only need to be positive.
    package static let count = 1...Int(Int32.max)
    /// As ``count``, with 0.
    package static let countOrZero = 0...Int(Int32.max)
    /// The shortest reap limit that is not off, in seconds: engines ping less often than this.
    package static let shortestReapSeconds = 30.0
}
