// lmcache · SPDX-License-Identifier: Apache-2.0

/// The compression function of BLAKE3: seven unrolled rounds on plain words.
///
/// Source: BLAKE3 specification, section 2.2. The message words are read in each round's order instead of being moved.
enum BLAKE3Compression {
    typealias ChainingValue = InlineArray<8, UInt32>
    typealias Message = InlineArray<16, UInt32>

    static let chunkStart: UInt32 = 1
    static let chunkEnd: UInt32 = 2
    static let parent: UInt32 = 4
    static let root: UInt32 = 8

    static let initialValue: ChainingValue = [
        0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19,
    ]

    /// The chaining value after one block: `message` of `length` bytes in chunk number `counter`.
    static func compress(
        _ value: ChainingValue,
        _ message: Message,
        counter: UInt64,
        length: UInt32,
        flags: UInt32
    ) -> ChainingValue {
        var state = BLAKE3State(
            v0: value[0], v1: value[1], v2: value[2], v3: value[3],
            v4: value[4], v5: value[5], v6: value[6], v7: value[7],
            v8: Self.initialValue[0], v9: Self.initialValue[1], v10: Self.initialValue[2], v11: Self.initialValue[3],
            v12: UInt32(truncatingIfNeeded: counter), v13: UInt32(truncatingIfNeeded: counter >> 32), v14: length,
            v15: flags
        )
        state.round(
            message[0], message[1], message[2], message[3], message[4], message[5], message[6], message[7],
            message[8], message[9], message[10], message[11], message[12], message[13], message[14], message[15]
        )
        state.round(
            message[2], message[6], message[3], message[10], message[7], message[0], message[4], message[13],
            message[1], message[11], message[12], message[5], message[9], message[14], message[15], message[8]
        )
        state.round(
            message[3], message[4], message[10], message[12], message[13], message[2], message[7], message[14],
            message[6], message[5], message[9], message[0], message[11], message[15], message[8], message[1]
        )
        state.round(
            message[10], message[7], message[12], message[9], message[14], message[3], message[13], message[15],
            message[4], message[0], message[11], message[2], message[5], message[8], message[1], message[6]
        )
        state.round(
            message[12], message[13], message[9], message[11], message[15], message[10], message[14], message[8],
            message[7], message[2], message[5], message[3], message[0], message[1], message[6], message[4]
        )
        state.round(
            message[9], message[14], message[11], message[5], message[8], message[12], message[15], message[1],
            message[13], message[3], message[0], message[10], message[2], message[6], message[4], message[7]
        )
        state.round(
            message[11], message[15], message[5], message[0], message[1], message[9], message[8], message[6],
            message[14], message[10], message[2], message[12], message[3], message[4], message[7], message[13]
        )
        return [
            state.v0 ^ state.v8, state.v1 ^ state.v9, state.v2 ^ state.v10, state.v3 ^ state.v11,
            state.v4 ^ state.v12, state.v5 ^ state.v13, state.v6 ^ state.v14, state.v7 ^ state.v15,
        ]
    }
}

/// The sixteen words that the rounds mix.
private struct BLAKE3State {
    var v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15: UInt32

    /// One round: four columns, then four diagonals.
    @inline(__always)
    mutating func round(
        _ m0: UInt32,
        _ m1: UInt32,
        _ m2: UInt32,
        _ m3: UInt32,
        _ m4: UInt32,
        _ m5: UInt32,
        _ m6: UInt32,
        _ m7: UInt32,
        _ m8: UInt32,
        _ m9: UInt32,
        _ m10: UInt32,
        _ m11: UInt32,
        _ m12: UInt32,
        _ m13: UInt32,
        _ m14: UInt32,
        _ m15: UInt32
    ) {
        Self.mix(&self.v0, &self.v4, &self.v8, &self.v12, m0, m1)
        Self.mix(&self.v1, &self.v5, &self.v9, &self.v13, m2, m3)
        Self.mix(&self.v2, &self.v6, &self.v10, &self.v14, m4, m5)
        Self.mix(&self.v3, &self.v7, &self.v11, &self.v15, m6, m7)
        Self.mix(&self.v0, &self.v5, &self.v10, &self.v15, m8, m9)
        Self.mix(&self.v1, &self.v6, &self.v11, &self.v12, m10, m11)
        Self.mix(&self.v2, &self.v7, &self.v8, &self.v13, m12, m13)
        Self.mix(&self.v3, &self.v4, &self.v9, &self.v14, m14, m15)
    }

    @inline(__always)
    private static func mix(
        _ a: inout UInt32,
        _ b: inout UInt32,
        _ c: inout UInt32,
        _ d: inout UInt32,
        _ first: UInt32,
        _ second: UInt32
    ) {
        a = a &+ b &+ first
        d = Self.rotated(d ^ a, by: 16)
        c = c &+ d
        b = Self.rotated(b ^ c, by: 12)
        a = a &+ b &+ second
        d = Self.rotated(d ^ a, by: 8)
        c = c &+ d
        b = Self.rotated(b ^ c, by: 7)
    }

    @inline(__always)
    private static func rotated(_ word: UInt32, by count: UInt32) -> UInt32 {
        word &>> count | word &<< (32 - count)
    }
}
