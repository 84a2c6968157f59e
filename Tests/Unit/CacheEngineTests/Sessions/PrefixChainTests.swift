// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import CacheEngine

@Suite struct PrefixChainTests {
    let hasher = ChunkHasher(algorithm: .blake3, chunkSize: 4, seed: nil)

    func fresh(_ tokens: [UInt32]) -> [ChunkHash] {
        var hashes: [ChunkHash] = []
        self.hasher.extend(&hashes, over: tokens)
        return hashes
    }

    @Test func growsWithItsRequest() {
        var chain = PrefixChain()
        for count in 0...17 {
            let tokens = (0..<UInt32(count)).map { $0 }
            chain.update(to: tokens, hasher: self.hasher)
            #expect(chain.hashes == self.fresh(tokens))
            #expect(chain.tokens == tokens)
        }
    }

    /// A request id that comes back with another text must never be served the first text's chunks.
    @Test(arguments: 0..<16) func startsAnewAtTheFirstDifference(position: Int) {
        var chain = PrefixChain()
        let first = (0..<UInt32(16)).map { $0 }
        chain.update(to: first, hasher: self.hasher)
        var second = first
        second[position] = 999
        chain.update(to: second, hasher: self.hasher)
        #expect(chain.hashes == self.fresh(second))
        #expect(chain.hashes.prefix(position / 4) == self.fresh(first).prefix(position / 4))
        #expect(chain.hashes[position / 4] != self.fresh(first)[position / 4])
    }

    @Test func shrinksWithAShorterText() {
        var chain = PrefixChain()
        chain.update(to: (0..<20).map { $0 }, hasher: self.hasher)
        chain.update(to: (0..<9).map { $0 }, hasher: self.hasher)
        #expect(chain.hashes == self.fresh((0..<9).map { $0 }))
        chain.update(to: [], hasher: self.hasher)
        #expect(chain.hashes.isEmpty)
    }
}
