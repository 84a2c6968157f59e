// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(self.next() % UInt64(limit)) }
}

/// A hash that is told apart by one number.
func hash(_ number: Int) -> ChunkHash {
    ChunkHash(words: (UInt64(number) &* 0x9E37_79B9_7F4A_7C15, UInt64(number), 1, 2))
}

func hashes(_ range: Range<Int>) -> [ChunkHash] { range.map { hash($0) } }
