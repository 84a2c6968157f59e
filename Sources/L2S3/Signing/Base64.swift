// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// Source: RFC 4648, section 4.
enum Base64 {
    static func text(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(bytes.count, start + 3)]
            let word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                result.append(isPadding ? UInt8(ascii: "=") : digits[Int(word >> (18 - 6 * UInt32(place)) & 63)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension MD5 {
    /// A body's digest, as the header `content-md5` has it.
    static func base64(_ body: [UInt8]) -> String {
        var hash = MD5()
        body.withUnsafeBytes { hash.update($0) }
        return Base64.text(hash.digest())
    }
}
