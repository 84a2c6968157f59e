// lmcache · SPDX-License-Identifier: Apache-2.0

/// Names the chunks of a prompt: each name covers every token from the start to the chunk's end.
package struct ChunkHasher: Sendable {
    package let algorithm: HashAlgorithm
    /// Tokens a chunk.
    package let chunkSize: Int
    /// The name before chunk 0.
    package let root: ChunkHash

    /// Makes a hasher.
    ///
    /// - Parameters:
    ///   - chunkSize: At least 1.
    ///   - seed: Used by `sha256CBOR` only: `PYTHONHASHSEED`, or nil for vLLM's own default.
    package init(algorithm: HashAlgorithm, chunkSize: Int, seed: String? = nil) {
        precondition(chunkSize > 0, "a chunk has at least one token")
        self.algorithm = algorithm
        self.chunkSize = chunkSize
        switch algorithm {
        case .blake3: self.root = BLAKE3ChunkHash.root
        case .sha256CBOR: self.root = SHA256ChunkHash.root(seed: seed ?? "vllm-none-hash")
        }
    }

    /// Appends the names of the whole chunks after the first `hashes.count` ones.
    ///
    /// At most one allocation.
    ///
    /// `tokens` start at the prompt's first token; a trailing part of a chunk is not named.
    package func extend(_ hashes: inout [ChunkHash], over tokens: [UInt32]) {
        let chunkCount = tokens.count / self.chunkSize
        guard hashes.count < chunkCount else { return }
        hashes.reserveCapacity(chunkCount)
        var previous = hashes.last ?? self.root
        for chunk in hashes.count..<chunkCount {
            previous = self.next(after: previous, in: tokens, from: chunk * self.chunkSize)
            hashes.append(previous)
        }
    }

    /// The name of the chunk of `tokens` that starts at `first`, after the chunk named `previous`.
    ///
    /// - Precondition: A whole chunk starts there.
    func next(after previous: ChunkHash, in tokens: [UInt32], from first: Int) -> ChunkHash {
        let chunk = tokens.span.extracting(first..<first + self.chunkSize)
        return switch self.algorithm {
        case .blake3: BLAKE3ChunkHash.next(after: previous, tokens: chunk)
        case .sha256CBOR: SHA256ChunkHash.next(after: previous, tokens: chunk)
        }
    }
}
