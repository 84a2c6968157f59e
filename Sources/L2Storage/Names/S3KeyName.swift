// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// The spelling in an S3 service.
package enum S3KeyName {
    /// The object's name in the bucket.
    package static func spelled(_ key: ObjectKey) -> String { NativeKeyName.spelled(key) }

    /// The URL's path below the bucket, with a leading slash: the name percent-encoded, `/` kept.
    package static func path(_ key: ObjectKey) -> String {
        "/" + PercentEncoding.encoded(Self.spelled(key), keeping: "/")
    }

    /// The key behind an object's name, or nil for a name of another origin.
    package static func parsed(_ name: String) -> ObjectKey? { NativeKeyName.parsed(name) }
}

/// Percent-encoding of RFC 3986.
package enum PercentEncoding {
    /// Encodes every byte but unreserved characters and those in `kept`; hexadecimal digits are upper-case.
    package static func encoded(_ text: String, keeping kept: String = "") -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8).union(kept.utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
