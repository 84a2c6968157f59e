// lmcache · SPDX-License-Identifier: Apache-2.0

/// Memory that tasks read or fill; whoever holds a reference may touch it, and the last one to go gives it back.
///
/// A task holds its buffers until the medium has let go of them, also after a deadline, a cancellation or a close: the
/// bytes behind an address never change owner while a transfer may still use it.
package final class L2Buffer: @unchecked Sendable {  // immutable; users of the bytes are ordered by their tasks
    /// The object's bytes. Never empty.
    package let bytes: UnsafeMutableRawBufferPointer
    private let release: @Sendable () -> Void

    /// Wraps memory that stays valid until `release` is called, which happens once.
    ///
    /// - Precondition: `bytes` is not empty.
    package init(_ bytes: UnsafeMutableRawBufferPointer, release: @escaping @Sendable () -> Void) {
        precondition(!bytes.isEmpty, "an object has at least one byte")
        self.bytes = bytes
        self.release = release
    }

    /// Allocates zeroed memory of its own.
    ///
    /// - Precondition: `byteCount` is positive and `alignment` a power of two.
    package convenience init(byteCount: Int, alignment: Int = 4096) {
        let area = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: alignment)
        area.initializeMemory(as: UInt8.self, repeating: 0)
        // Safe to free from any thread: the last reference is gone.
        nonisolated(unsafe) let owned = area
        self.init(area) { owned.deallocate() }
    }

    /// Allocates a copy of `content`.
    ///
    /// - Precondition: `content` is not empty.
    package convenience init(copying content: [UInt8]) {
        self.init(byteCount: content.count)
        self.bytes.copyBytes(from: content)
    }

    deinit { self.release() }

    package var byteCount: Int { self.bytes.count }

    /// A copy of the bytes.
    package var content: [UInt8] { Array(self.bytes) }
}
