// lmcache · SPDX-License-Identifier: Apache-2.0

/// The 32-byte name of one chunk: a hash chained over every token from the start of the prompt to the chunk's end.
///
/// Source: wire protocol, keys and hashing; BLAKE3 and SHA-256 both yield 32 bytes.
package struct ChunkHash: Hashable, Sendable {
    /// Bytes 0…7, 8…15, 16…23 and 24…31, each as a big-endian number, so that words compare as the bytes do.
    package var words: (UInt64, UInt64, UInt64, UInt64)

    /// Length of every chunk hash, in bytes.
    package static let byteCount = 32

    /// Makes a hash from four big-endian words.
    package init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// Makes a hash from exactly 32 bytes, or nil for any other length.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: [4 of UInt64] = [0, 0, 0, 0]
        var position = 0
        for byte in bytes {
            words[position >> 3] = words[position >> 3] << 8 | UInt64(byte)
            position += 1
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// The 32 bytes, first byte first.
    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        for word in [self.words.0, self.words.1, self.words.2, self.words.3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                result.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return result
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
            && left.words.3 == right.words.3
    }

    /// Hashes one word: the bytes are uniformly distributed already.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.words.0)
    }
}

extension ChunkHash: CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: self.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
