// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct ChunkHashMemoTests {
    /// Few slots, prompts that share prefixes: slots are replaced all the time, and every name must still be right.
    @Test(arguments: [1, 4, 17, 64], HashAlgorithm.allCases)
    func namesAreThoseOfTheHasherWhateverTheTableHolds(chunkSize: Int, algorithm: HashAlgorithm) {
        let hasher = ChunkHasher(algorithm: algorithm, chunkSize: chunkSize)
        for tokenLimit in [1, chunkSize, 8 * chunkSize, 1024 * chunkSize] {
            var memo = ChunkHashMemo(hasher: hasher, tokenLimit: tokenLimit)
            var random = SplitMix(state: UInt64(chunkSize * 1000 + tokenLimit))
            for _ in 0..<60 {
                let prompt = Self.prompt(chunkSize: chunkSize, random: &random)
                var expected: [ChunkHash] = []
                hasher.extend(&expected, over: prompt)
                let known = Int(random.next() % UInt64(expected.count + 1))
                var named = Array(expected.prefix(known))
                memo.extend(&named, over: prompt)
                #expect(named == expected)
            }
        }
    }

    /// Chunks that differ in one token only, at every position, also where the slot's choice does not look.
    @Test func oneOtherTokenIsAnotherChunk() {
        let hasher = ChunkHasher(algorithm: .blake3, chunkSize: 32)
        var memo = ChunkHashMemo(hasher: hasher, tokenLimit: 32)
        let prompt = [UInt32](repeating: 5, count: 64)
        var original: [ChunkHash] = []
        memo.extend(&original, over: prompt)
        for position in 0..<64 {
            var other = prompt
            other[position] = 6
            var named: [ChunkHash] = []
            memo.extend(&named, over: other)
            #expect(named[position / 32] != original[position / 32])
            #expect(named[1] != original[1])
        }
    }

    private static func prompt(chunkSize: Int, random: inout SplitMix) -> [UInt32] {
        var tokens: [UInt32] = []
        for chunk in 0..<Int(1 + random.next() % 6) {
            let text = UInt32(random.next() % 3)
            tokens += (0..<chunkSize).map { UInt32(chunk) * 1000 + text * 100 + UInt32($0) }
        }
        return tokens + [1, 2, 3].prefix(chunkSize > 3 ? 3 : 0)
    }
}

private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
