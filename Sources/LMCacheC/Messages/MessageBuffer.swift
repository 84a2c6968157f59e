// lmcache · SPDX-License-Identifier: Apache-2.0

/// The frames of a message in one buffer: `u32` count, then for each frame `u32` length and bytes, little-endian.
enum MessageBuffer {
    /// As many as the socket takes, the request's number included.
    static let maximumFrames = 255
    static let maximumBytes = 1 << 30

    /// The frames of a request; nothing in them is checked but that they fill the buffer exactly.
    static func frames(_ buffer: UnsafeRawBufferPointer) throws(LibraryError) -> [[UInt8]] {
        guard buffer.count <= Self.maximumBytes else {
            throw LibraryError(
                .invalidArgument, "request_length is \(buffer.count), accepted are at most \(Self.maximumBytes) bytes")
        }
        var position = 0
        let count = try Self.number(buffer, &position, "the number of frames")
        guard (1...Self.maximumFrames).contains(count) else {
            throw LibraryError(
                .invalidArgument, "the request has \(count) frames, accepted are 1 to \(Self.maximumFrames)")
        }
        var frames: [[UInt8]] = []
        frames.reserveCapacity(count + 1)
        for index in 0..<count {
            let length = try Self.number(buffer, &position, "the length of frame \(index)")
            guard length <= buffer.count - position else {
                throw LibraryError(
                    .invalidArgument,
                    "frame \(index) has \(length) bytes, but \(buffer.count - position) are left of the request")
            }
            frames.append([UInt8](UnsafeRawBufferPointer(rebasing: buffer[position..<position + length])))
            position += length
        }
        guard position == buffer.count else {
            throw LibraryError(
                .invalidArgument, "the request ends \(buffer.count - position) bytes after its last frame")
        }
        return frames
    }

    /// A reply's frames as one buffer of `malloc`, which the caller frees.
    static func buffer(_ frames: ArraySlice<[UInt8]>) throws(LibraryError) -> UnsafeMutableRawBufferPointer {
        let length = frames.reduce(4) { $0 + 4 + $1.count }
        let buffer = try CopiedBytes.allocate(length)
        buffer.storeBytes(of: UInt32(truncatingIfNeeded: frames.count).littleEndian, as: UInt32.self)
        var position = 4
        for frame in frames {
            let head = UInt32(truncatingIfNeeded: frame.count).littleEndian
            buffer.storeBytes(of: head, toByteOffset: position, as: UInt32.self)
            UnsafeMutableRawBufferPointer(rebasing: buffer[(position + 4)...]).copyBytes(from: frame)
            position += 4 + frame.count
        }
        return buffer
    }

    private static func number(
        _ buffer: UnsafeRawBufferPointer, _ position: inout Int, _ what: String
    ) throws(LibraryError) -> Int {
        guard buffer.count - position >= 4 else {
            throw LibraryError(
                .invalidArgument, "the request of \(buffer.count) bytes ends before \(what), at byte \(position)")
        }
        defer { position += 4 }
        return Int(UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }
}
