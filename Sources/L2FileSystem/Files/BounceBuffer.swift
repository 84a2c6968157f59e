// lmcache · SPDX-License-Identifier: Apache-2.0

/// Aligned memory for the parts of an object that direct I/O cannot move from where they are.
struct BounceBuffer: ~Copyable {
    let area: UnsafeMutableRawBufferPointer

    /// - Parameter byteCount: At least one alignment; rounded up to whole ones by the caller.
    init(byteCount: Int, alignment: Int) {
        self.area = .allocate(byteCount: byteCount, alignment: alignment)
    }

    deinit { self.area.deallocate() }
}
