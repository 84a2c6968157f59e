// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// The tokens of one request and the hashes of their whole chunks, extended as the request grows.
///
/// Hashes are reused only for the chunks whose tokens are equal: a request id that comes back with another text starts
/// anew at the first difference.
package struct PrefixChain: Sendable {
    package private(set) var tokens: [UInt32] = []
    /// One for each whole chunk of `tokens`.
    package private(set) var hashes: [ChunkHash] = []

    package init() {}

    /// Takes the request's tokens as they are now and names the chunks that are new.
    package mutating func update(to tokens: [UInt32], hasher: ChunkHasher) {
        self.drop(differingFrom: tokens, chunkSize: hasher.chunkSize)
        hasher.extend(&self.hashes, over: tokens)
    }

    /// As above, taking the names of chunks that other requests had from a memo.
    package mutating func update(to tokens: [UInt32], chunkSize: Int, memo: inout ChunkHashMemo) {
        self.drop(differingFrom: tokens, chunkSize: chunkSize)
        memo.extend(&self.hashes, over: tokens)
    }

    private mutating func drop(differingFrom tokens: [UInt32], chunkSize: Int) {
        let shared = Self.commonPrefix(self.tokens, tokens)
        let reusable = min(self.hashes.count, shared / chunkSize)
        if reusable < self.hashes.count { self.hashes.removeLast(self.hashes.count - reusable) }
        self.tokens = tokens
    }

    private static func commonPrefix(_ left: [UInt32], _ right: [UInt32]) -> Int {
        let limit = min(left.count, right.count)
        let (a, b) = (left.span, right.span)
        for index in 0..<limit where a[index] != b[index] { return index }
        return limit
    }
}
