// lmcache · SPDX-License-Identifier: Apache-2.0

/// How much of a prefix one object group needs in order to continue after it.
package enum PrefixWindow: Hashable, Sendable {
    /// Full attention: every chunk.
    case everything
    /// A sliding window: the last `chunks` chunks, at least 1.
    case last(chunks: Int)

    /// Reads the wire's spelling: 0 or less for full attention, else chunks.
    package init(chunks: Int) {
        self = chunks <= 0 ? .everything : .last(chunks: chunks)
    }

    /// The chunks that must be present for a prefix of `prefix` chunks.
    package func needed(forPrefix prefix: Int) -> Range<Int> {
        switch self {
        case .everything: 0..<prefix
        case .last(let chunks): max(0, prefix - chunks)..<prefix
        }
    }
}
