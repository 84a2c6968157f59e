// lmcache · SPDX-License-Identifier: Apache-2.0

/// CRC-32C (Castagnoli), reflected, one table lookup for each byte.
///
/// Source: RFC 3720, appendix B.4.
package enum CRC32C {
    private static let table: [UInt32] = (0..<256 as Range<UInt32>).map { index in
        (0..<8).reduce(index) { remainder, _ in
            remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
        }
    }

    /// The checksum of `bytes`.
    package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let table = Self.table
        var remainder = UInt32.max
        for byte in bytes {
            remainder = remainder >> 8 ^ table[Int(UInt8(truncatingIfNeeded: remainder) ^ byte)]
        }
        return ~remainder
    }
}
