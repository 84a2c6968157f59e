// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// How an object is cut into parts.
struct PartPlan: Sendable, Equatable {
    /// Most parts of one upload.
    static let limit = 10_000

    let ranges: [Range<Int>]

    /// - Precondition: Both are positive.
    init(byteCount: Int, partBytes: Int) {
        precondition(byteCount > 0 && partBytes > 0, "an object and its parts have bytes")
        let least = (byteCount - 1) / Self.limit + 1
        let size = max(partBytes, least)
        self.ranges = stride(from: 0, to: byteCount, by: size).map { $0..<min(byteCount, $0 + size) }
    }
}

extension L2Buffer {
    /// Some of the bytes; whoever holds them holds all.
    func part(_ range: Range<Int>) -> L2Buffer {
        L2Buffer(UnsafeMutableRawBufferPointer(rebasing: self.bytes[range])) { withExtendedLifetime(self) {} }
    }
}
