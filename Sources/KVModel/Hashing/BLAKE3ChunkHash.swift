// lmcache · SPDX-License-Identifier: Apache-2.0

/// BLAKE3 over a previous name and the tokens that follow it, as big-endian 32-bit numbers.
///
/// Source: wire protocol §6.1; BLAKE3 specification, section 2. Everything hashed is whole 32-bit words.
enum BLAKE3ChunkHash {
    private typealias ChainingValue = BLAKE3Compression.ChainingValue
    private static let wordsPerBlock = 16
    /// BLAKE3's own chunks, which have nothing to do with the cache's.
    private static let wordsPerLeaf = 256
    private static let previousWords = 8

    /// The hash of twelve zero bytes: an empty previous name and no tokens.
    static var root: ChunkHash {
        let flags = BLAKE3Compression.chunkStart | BLAKE3Compression.chunkEnd | BLAKE3Compression.root
        let zeros = BLAKE3Compression.Message(repeating: 0)
        return Self.name(
            BLAKE3Compression.compress(BLAKE3Compression.initialValue, zeros, counter: 0, length: 12, flags: flags)
        )
    }

    /// The name of the chunk that holds `tokens` and follows `previous`.
    static func next(after previous: ChunkHash, tokens: Span<UInt32>) -> ChunkHash {
        let wordCount = Self.previousWords + tokens.count
        let leafCount = (wordCount + Self.wordsPerLeaf - 1) / Self.wordsPerLeaf
        // One entry for each bit of a leaf number.
        var subtrees = InlineArray<40, ChainingValue>(repeating: BLAKE3Compression.initialValue)
        var depth = 0
        for leaf in 0..<leafCount - 1 {
            var value = Self.leaf(leaf, previous, tokens, rootFlag: 0)
            var completed = leaf + 1
            while completed & 1 == 0 {
                depth -= 1
                value = Self.parent(subtrees[depth], value, rootFlag: 0)
                completed >>= 1
            }
            subtrees[depth] = value
            depth += 1
        }
        var value = Self.leaf(
            leafCount - 1,
            previous,
            tokens,
            rootFlag: depth == 0 ? BLAKE3Compression.root : 0
        )
        while depth > 0 {
            depth -= 1
            value = Self.parent(subtrees[depth], value, rootFlag: depth == 0 ? BLAKE3Compression.root : 0)
        }
        return Self.name(value)
    }

    private static func leaf(
        _ leaf: Int,
        _ previous: ChunkHash,
        _ tokens: Span<UInt32>,
        rootFlag: UInt32
    ) -> ChainingValue {
        let end = min((leaf + 1) * Self.wordsPerLeaf, Self.previousWords + tokens.count)
        var position = leaf * Self.wordsPerLeaf
        var value = BLAKE3Compression.initialValue
        var flags = BLAKE3Compression.chunkStart
        while true {
            let length = min(Self.wordsPerBlock, end - position)
            let message = Self.message(at: position, count: length, previous, tokens)
            let isLast = position + length == end
            if isLast { flags |= BLAKE3Compression.chunkEnd | rootFlag }
            value = BLAKE3Compression.compress(
                value,
                message,
                counter: UInt64(leaf),
                length: UInt32(length * 4),
                flags: flags
            )
            if isLast { return value }
            position += length
            flags = 0
        }
    }

    /// Sixteen words of input, as the little-endian numbers that BLAKE3 mixes; zeros after the end.
    @inline(__always)
    private static func message(
        at position: Int,
        count: Int,
        _ previous: ChunkHash,
        _ tokens: Span<UInt32>
    ) -> BLAKE3Compression.Message {
        var message = BLAKE3Compression.Message(repeating: 0)
        var first = 0
        if position == 0 {
            let words = previous.words
            (message[0], message[1]) = Self.halves(words.0)
            (message[2], message[3]) = Self.halves(words.1)
            (message[4], message[5]) = Self.halves(words.2)
            (message[6], message[7]) = Self.halves(words.3)
            first = Self.previousWords
        }
        for word in first..<count { message[word] = tokens[position + word - Self.previousWords].byteSwapped }
        return message
    }

    private static func parent(_ left: ChainingValue, _ right: ChainingValue, rootFlag: UInt32) -> ChainingValue {
        var message = BLAKE3Compression.Message(repeating: 0)
        for word in 0..<8 {
            message[word] = left[word]
            message[word + 8] = right[word]
        }
        return BLAKE3Compression.compress(
            BLAKE3Compression.initialValue,
            message,
            counter: 0,
            length: 64,
            flags: BLAKE3Compression.parent | rootFlag
        )
    }

    @inline(__always)
    private static func halves(_ word: UInt64) -> (UInt32, UInt32) {
        (
            UInt32(truncatingIfNeeded: word >> 32).byteSwapped,
            UInt32(truncatingIfNeeded: word).byteSwapped
        )
    }

    @inline(__always)
    private static func name(_ value: ChainingValue) -> ChunkHash {
        func joined(_ high: UInt32, _ low: UInt32) -> UInt64 {
            UInt64(high.byteSwapped) << 32 | UInt64(low.byteSwapped)
        }
        return ChunkHash(
            words: (
                joined(value[0], value[1]), joined(value[2], value[3]), joined(value[4], value[5]),
                joined(value[6], value[7])
            )
        )
    }
}
