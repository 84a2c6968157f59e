// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct MD5Tests {
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func digestsAreThoseOfTheStandard(_ text: String, _ digest: String) {
        var hash = MD5()
        Array(text.utf8).withUnsafeBytes { hash.update($0) }
        #expect(hash.hexDigest() == digest)
    }

    @Test func piecesGiveTheDigestOfTheWhole() {
        let data = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 7) }
        var whole = MD5()
        data.withUnsafeBytes { whole.update($0) }
        // Every way of a piece to end before, at and behind a block's border.
        for length in 1...130 {
            var pieces = MD5()
            for start in stride(from: 0, to: data.count, by: length) {
                data[start..<min(data.count, start + length)].withUnsafeBytes { pieces.update($0) }
            }
            #expect(pieces.hexDigest() == whole.hexDigest())
        }
    }
}
