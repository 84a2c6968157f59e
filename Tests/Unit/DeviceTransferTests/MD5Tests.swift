// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import DeviceTransfer

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
        var random = SeededRandom(3)
        let data = (0..<1000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        var whole = MD5()
        data.withUnsafeBytes { whole.update($0) }
        for _ in 0..<50 {
            var pieces = MD5()
            var start = 0
            while start < data.count {
                let end = min(data.count, start + Int.random(in: 0...130, using: &random))
                Array(data[start..<end]).withUnsafeBytes { pieces.update($0) }
                start = end
            }
            #expect(pieces.hexDigest() == whole.hexDigest())
        }
    }
}
