// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// HMAC with SHA-256.
///
/// Source: RFC 2104.
enum HMAC {
    static func sha256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? Digest.sha256(key) : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        let inner = Digest.sha256(block.map { $0 ^ 0x36 } + message)
        return Digest.sha256(block.map { $0 ^ 0x5C } + inner)
    }
}

enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        for byte in bytes { hash.append(byte) }
        return hash.finalized().bytes
    }

    /// Lower-case hexadecimal digits.
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
