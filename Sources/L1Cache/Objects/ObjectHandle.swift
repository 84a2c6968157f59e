// lmcache · SPDX-License-Identifier: Apache-2.0

/// One object in the table, for as long as its bytes are kept.
///
/// A later object in the same slot has another generation.
package struct ObjectHandle: Hashable, Sendable {
    package let index: UInt32
    package let generation: UInt32

    package init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }
}

/// Where an object lies: bytes from the start of the arena.
package struct ObjectPlace: Hashable, Sendable {
    package let offset: Int
    /// As asked for, not rounded.
    package let length: Int

    package init(offset: Int, length: Int) {
        self.offset = offset
        self.length = length
    }
}
