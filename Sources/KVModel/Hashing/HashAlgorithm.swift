// lmcache · SPDX-License-Identifier: Apache-2.0

/// The functions that name chunks; raw values as on the command line.
package enum HashAlgorithm: String, Sendable, CaseIterable {
    /// BLAKE3 over the previous hash and big-endian tokens.
    case blake3
    /// SHA-256 over canonical CBOR, as vLLM computes it.
    case sha256CBOR = "sha256_cbor"
}
