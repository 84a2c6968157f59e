// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which of a cluster's 16,384 slots a key belongs to.
///
/// Source: Redis cluster specification: CRC-16/XMODEM of the key, or of what the first braces hold.
enum HashSlot {
    static let count = 16_384

    static func of(_ key: String) -> Int {
        let bytes = Array(key.utf8)
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")),
            let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        {
            return Int(Self.crc(bytes[(open + 1)..<close])) % Self.count
        }
        return Int(Self.crc(bytes[...])) % Self.count
    }

    private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes { crc = crc << 8 ^ Self.table[Int(UInt8(crc >> 8) ^ byte)] }
        return crc
    }

    private static let table: [UInt16] = (0..<256).map { index in
        var crc = UInt16(index) << 8
        for _ in 0..<8 { crc = crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
        return crc
    }
}
