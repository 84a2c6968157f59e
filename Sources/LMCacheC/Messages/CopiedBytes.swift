// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Bytes handed to the caller, who frees them with `lmcache_free_bytes`.
enum CopiedBytes {
    /// At least one byte, so that the caller always gets a pointer.
    static func allocate(_ length: Int) throws(LibraryError) -> UnsafeMutableRawBufferPointer {
        guard let base = malloc(max(1, length)) else {
            throw LibraryError(.unavailable, "there is no memory for \(length) bytes")
        }
        return UnsafeMutableRawBufferPointer(start: base, count: length)
    }

    /// The text with a terminating zero, which `count` leaves out.
    static func text(_ text: String) throws(LibraryError) -> (base: UnsafeMutablePointer<CChar>, count: Int) {
        let bytes = Array(text.utf8)
        let buffer = try Self.allocate(bytes.count + 1)
        buffer.copyBytes(from: bytes)
        buffer[bytes.count] = 0
        guard let base = buffer.baseAddress else { preconditionFailure("at least one byte was allocated") }
        return (base.bindMemory(to: CChar.self, capacity: buffer.count), bytes.count)
    }
}
