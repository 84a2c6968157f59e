// lmcache · SPDX-License-Identifier: Apache-2.0

internal import CSystemShims

/// The CRC-32C that an object carries where its medium has room beside the bytes.
///
/// Source: RFC 3720, appendix B.4.
package enum L2Checksum {
    /// The checksum of bytes that follow others with the checksum `before`.
    package static func of(_ bytes: UnsafeRawBufferPointer, following before: UInt32 = 0) -> UInt32 {
        lmc_crc32c(before, bytes.baseAddress, bytes.count)
    }

    /// Eight lower-case hexadecimal digits.
    package static func text(_ checksum: UInt32) -> String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The text of a buffer's checksum.
    package static func text(of buffer: L2Buffer) -> String {
        Self.text(Self.of(UnsafeRawBufferPointer(buffer.bytes)))
    }
}
