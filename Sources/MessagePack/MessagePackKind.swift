// lmcache · SPDX-License-Identifier: Apache-2.0

/// The families of MessagePack values; every width of a family counts as the same kind.
package enum MessagePackKind: String, Sendable, CaseIterable {
    case `nil`, boolean, integer, float, string, binary, array, map, `extension`

    /// The family that a value's first byte announces; nil for the reserved byte 0xc1.
    package init?(firstByte: UInt8) {
        switch firstByte {
        case 0x00...0x7f, 0xcc...0xd3, 0xe0...0xff: self = .integer
        case 0x80...0x8f, 0xde, 0xdf: self = .map
        case 0x90...0x9f, 0xdc, 0xdd: self = .array
        case 0xa0...0xbf, 0xd9...0xdb: self = .string
        case 0xc0: self = .nil
        case 0xc2, 0xc3: self = .boolean
        case 0xc4...0xc6: self = .binary
        case 0xca, 0xcb: self = .float
        case 0xc7...0xc9, 0xd4...0xd8: self = .extension
        default: return nil
        }
    }
}
