// lmcache · SPDX-License-Identifier: Apache-2.0

/// Heads of the free lists of a two-level segregated fit, and which of them are not empty.
///
/// Classes are ordered: every size of a class is larger than every size of the classes before it. Sizes below 32 have a
/// class each; above, each power of two is cut into 16 classes.
struct SizeClasses: Sendable {
    /// Marks the end of a list.
    static let none = UInt32.max
    private static let subclassBits: UInt32 = 4
    private static let levelCount = 29

    private var heads: [UInt32]
    private var levels: UInt32 = 0
    private var sublevels: [UInt32]

    init() {
        self.heads = Array(repeating: Self.none, count: Self.levelCount << Int(Self.subclassBits))
        self.sublevels = Array(repeating: 0, count: Self.levelCount)
    }

    /// The class of a size.
    static func index(of size: UInt32) -> Int {
        guard size >= 16 else { return Int(size) }
        let exponent = UInt32(31 - size.leadingZeroBitCount)
        let level = exponent - Self.subclassBits + 1
        let subclass = size >> (exponent - Self.subclassBits) & 15
        return Int(level << Self.subclassBits | subclass)
    }

    /// First entry of a class.
    subscript(index: Int) -> UInt32 {
        get { self.heads[index] }
        set {
            self.heads[index] = newValue
            let level = index >> Int(Self.subclassBits)
            let bit = UInt32(1) << UInt32(index & 15)
            if newValue == Self.none {
                self.sublevels[level] &= ~bit
                if self.sublevels[level] == 0 { self.levels &= ~(1 << UInt32(level)) }
            } else {
                self.sublevels[level] |= bit
                self.levels |= 1 << UInt32(level)
            }
        }
    }

    /// The first class after `index` that is not empty.
    func firstFilled(after index: Int) -> Int? {
        let level = index >> Int(Self.subclassBits)
        let above = self.sublevels[level] & ~(UInt32(2) << UInt32(index & 15) &- 1)
        if above != 0 { return level << Int(Self.subclassBits) | above.trailingZeroBitCount }
        let higher = self.levels & ~(UInt32(2) << UInt32(level) &- 1)
        guard higher != 0 else { return nil }
        let found = higher.trailingZeroBitCount
        return found << Int(Self.subclassBits) | self.sublevels[found].trailingZeroBitCount
    }
}
