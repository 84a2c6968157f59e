// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct ChunkHashTests {
    private let bytes = (0..<32).map { UInt8($0 * 7 + 3) }

    @Test func bytesSurviveTheRoundTrip() {
        #expect(ChunkHash(bytes: self.bytes)?.bytes == self.bytes)
    }

    @Test func onlyThirtyTwoBytesAreAccepted() {
        for length in [0, 1, 31, 33, 64] { #expect(ChunkHash(bytes: [UInt8](repeating: 1, count: length)) == nil) }
    }

    @Test func wordsAreBigEndian() {
        let hash = ChunkHash(bytes: (0..<32).map { UInt8($0) })
        #expect(hash?.words.0 == 0x0001_0203_0405_0607)
        #expect(hash?.words.3 == 0x1819_1A1B_1C1D_1E1F)
    }

    @Test func textIsLowerCaseHexadecimal() {
        let hash = ChunkHash(words: (0x00AB_CDEF_0123_4567, 1, 0xFFFF_FFFF_FFFF_FFFF, 0x10))
        #expect(hash.description == "00abcdef012345670000000000000001ffffffffffffffff0000000000000010")
    }

    @Test func everyByteTakesPartInEquality() throws {
        let original = try #require(ChunkHash(bytes: self.bytes))
        for position in self.bytes.indices {
            var changed = self.bytes
            changed[position] ^= 1
            #expect(ChunkHash(bytes: changed) != original)
        }
        #expect(ChunkHash(bytes: self.bytes) == original)
    }

    @Test func equalHashesAreOneSetMember() throws {
        let hash = try #require(ChunkHash(bytes: self.bytes))
        #expect(Set([hash, ChunkHash(words: hash.words)]).count == 1)
    }
}
