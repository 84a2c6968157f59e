// lmcache · SPDX-License-Identifier: Apache-2.0

/// The object arena as device threads see it.
///
/// Whoever makes one keeps the memory mapped until every device and copier that got it has stopped. Which bytes a
/// thread may touch is settled by the holds on them.
package struct ArenaView: @unchecked Sendable {  // access is settled by holds, see above
    package let base: UnsafeMutableRawPointer
    package let byteCount: Int

    package init(base: UnsafeMutableRawPointer, byteCount: Int) {
        self.base = base
        self.byteCount = byteCount
    }

    /// The address of a range, or nil when it does not lie inside the arena.
    package func address(of range: ArenaRange) -> UnsafeMutableRawPointer? {
        guard range.offset >= 0, range.byteCount >= 0, range.offset <= self.byteCount,
            range.byteCount <= self.byteCount - range.offset
        else { return nil }
        return self.base + range.offset
    }
}

/// Bytes of the arena.
package struct ArenaRange: Sendable, Hashable {
    package let offset: Int
    package let byteCount: Int

    package init(offset: Int, byteCount: Int) {
        self.offset = offset
        self.byteCount = byteCount
    }
}
