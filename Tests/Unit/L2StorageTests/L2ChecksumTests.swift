// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Conformance
import L2Storage
import Testing

@Suite struct L2ChecksumTests {
    private static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { L2Checksum.of($0) } }

    @Test func checksumsAreThoseOfRFC3720() {
        #expect(Self.checksum([]) == 0)
        #expect(Self.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(Self.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(Self.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(Self.checksum(Array(0..<32)) == 0x46DD_794E)
        #expect(L2Checksum.text(0xAB) == "000000ab")
    }

    /// Lengths around those at which the fast way changes its step.
    @Test func everyLengthAgreesWithTheDefinition() {
        for length in [1, 7, 8, 9, 63, 255, 256, 257, 511, 512, 777, 1023, 3071, 3072, 3073, 6144, 10_000] {
            let bytes = L2ConformanceSuite.content(length, seed: length)
            var remainder = UInt32.max
            for byte in bytes {
                remainder ^= UInt32(byte)
                for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1 }
            }
            #expect(Self.checksum(bytes) == ~remainder)
        }
    }
}
