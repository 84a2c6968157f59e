// lmcache · SPDX-License-Identifier: Apache-2.0

/// SHA-256 over the canonical CBOR of `[previous name, [tokens], null]`.
///
/// Source: wire protocol §6.2, RFC 8949 §4.2.1. The CBOR text is never stored.
enum SHA256ChunkHash {
    private enum Major: UInt8 {
        case unsigned = 0x00
        case bytes = 0x40
        case text = 0x60
        case array = 0x80
    }

    private static let null: UInt8 = 0xF6

    /// The name before chunk 0: the hash of the seed as CBOR text.
    static func root(seed: String) -> ChunkHash {
        var hash = SHA256()
        Self.append(.text, UInt64(seed.utf8.count), to: &hash)
        for byte in seed.utf8 { hash.append(byte) }
        return hash.finalized()
    }

    /// The name of the chunk that holds `tokens` and follows `previous`.
    static func next(after previous: ChunkHash, tokens: Span<UInt32>) -> ChunkHash {
        var hash = SHA256()
        Self.append(.array, 3, to: &hash)
        Self.append(.bytes, UInt64(ChunkHash.byteCount), to: &hash)
        hash.append(previous.words.0, byteCount: 8)
        hash.append(previous.words.1, byteCount: 8)
        hash.append(previous.words.2, byteCount: 8)
        hash.append(previous.words.3, byteCount: 8)
        Self.append(.array, UInt64(tokens.count), to: &hash)
        for index in tokens.indices { Self.append(.unsigned, UInt64(tokens[index]), to: &hash) }
        hash.append(Self.null)
        return hash.finalized()
    }

    /// A head in its shortest form.
    private static func append(_ major: Major, _ number: UInt64, to hash: inout SHA256) {
        switch number {
        case 0..<24:
            hash.append(major.rawValue | UInt8(number))
        case 24...0xFF:
            hash.append(major.rawValue | 24)
            hash.append(number, byteCount: 1)
        case 0x100...0xFFFF:
            hash.append(major.rawValue | 25)
            hash.append(number, byteCount: 2)
        case 0x1_0000...0xFFFF_FFFF:
            hash.append(major.rawValue | 26)
            hash.append(number, byteCount: 4)
        default:
            hash.append(major.rawValue | 27)
            hash.append(number, byteCount: 8)
        }
    }
}
