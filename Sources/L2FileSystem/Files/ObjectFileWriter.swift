// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import L2Storage

/// Writes an object under a temporary name and gives it its own once every byte is in place.
struct ObjectFileWriter {
    let calls: any FileCalls
    let alignment: Int
    let usesDirectIO: Bool
    let synchronizes: Bool
    /// The directory whose entry a synchronised rename must reach.
    let directory: String

    private static let bounceBytes = 1 << 20
    /// What is summed up and then written at once: the write then finds it in the processor's cache.
    private static let summedBytes = 1 << 18

    /// Publishes `bytes`, followed by zeros up to `storedByteCount`, as `path`, replacing a file of that name.
    ///
    /// - Parameter sums: Whether the checksum is noted beside the content, where the file system can.
    /// - Throws: With no temporary file left, unless unlinking fails too.
    func publish(
        _ bytes: UnsafeRawBufferPointer, storedByteCount: Int, sums: Bool = false, temporary: String,
        as path: String
    ) throws(FileCallError) {
        do {
            let file = try OpenFile(
                temporary, flags: O_WRONLY | O_CREAT | O_EXCL, direct: self.usesDirectIO, calls: self.calls)
            let checksum = try self.fill(file, bytes, storedByteCount: storedByteCount, sums: sums)
            // An object without one is served unverified, as the original's are.
            if let checksum { try? self.calls.setChecksum(file.descriptor, checksum) }
            if self.synchronizes { try self.calls.synchronize(file.descriptor) }
            try file.close()
            try self.calls.rename(temporary, to: path)
        } catch {
            // The first failure is what counts; the sweep at the next start gets what is left.
            try? self.calls.unlink(temporary)
            throw error
        }
    }

    /// Waits until published names are on the device, where that is asked for.
    func synchronizeDirectory() throws(FileCallError) {
        guard self.synchronizes else { return }
        let file = try OpenFile(self.directory, flags: O_RDONLY | O_DIRECTORY, direct: false, calls: self.calls)
        try self.calls.synchronize(file.descriptor)
    }

    /// Returns the checksum of `bytes` where it is asked for.
    private func fill(
        _ file: borrowing OpenFile, _ bytes: UnsafeRawBufferPointer, storedByteCount: Int, sums: Bool
    ) throws(FileCallError) -> UInt32? {
        guard file.isDirect else {
            let checksum = try self.write(file, bytes, sums: sums)
            // A longer file reads as zeros behind its content.
            if storedByteCount != bytes.count { try self.calls.truncate(file.descriptor, to: storedByteCount) }
            return checksum
        }
        let written = try self.writeDirect(file, bytes)
        if written != storedByteCount { try self.calls.truncate(file.descriptor, to: storedByteCount) }
        return sums ? L2Checksum.of(bytes) : nil
    }

    private func write(
        _ file: borrowing OpenFile, _ bytes: UnsafeRawBufferPointer, sums: Bool
    ) throws(FileCallError) -> UInt32? {
        var (start, checksum) = (0, 0 as UInt32)
        while start < bytes.count {
            let end = min(bytes.count, sums ? start + Self.summedBytes : .max)
            if sums { checksum = L2Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), following: checksum) }
            try self.write(file, UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: start)
            start = end
        }
        return sums ? checksum : nil
    }

    private func write(
        _ file: borrowing OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) throws(FileCallError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = try self.calls.write(file.descriptor, from: rest, at: offset + done)
            guard count > 0 else { throw FileCallError(call: "pwrite", code: EIO) }
            done += min(count, rest.count)
        }
    }

    /// Writes whole blocks only, the last one padded with zeros. Returns the file's length.
    private func writeDirect(
        _ file: borrowing OpenFile, _ bytes: UnsafeRawBufferPointer
    ) throws(FileCallError) -> Int {
        var done = 0
        if let base = bytes.baseAddress, UInt(bitPattern: base) % UInt(self.alignment) == 0 {
            done = bytes.count / self.alignment * self.alignment
            try self.writeBlocks(file, UnsafeRawBufferPointer(rebasing: bytes[..<done]), at: 0)
        }
        guard done < bytes.count else { return done }
        let size = min(Self.bounceBytes, (bytes.count - done + self.alignment - 1) / self.alignment * self.alignment)
        let bounce = BounceBuffer(byteCount: size, alignment: self.alignment)
        while done < bytes.count {
            let count = min(size, bytes.count - done)
            let padded = (count + self.alignment - 1) / self.alignment * self.alignment
            bounce.area.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<(done + count)]))
            UnsafeMutableRawBufferPointer(rebasing: bounce.area[count..<padded])
                .initializeMemory(as: UInt8.self, repeating: 0)
            try self.writeBlocks(file, UnsafeRawBufferPointer(rebasing: bounce.area[..<padded]), at: done)
            done += padded
        }
        return done
    }

    private func writeBlocks(
        _ file: borrowing OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) throws(FileCallError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = min(try self.calls.write(file.descriptor, from: rest, at: offset + done), rest.count)
            // After a short write the block that was cut is written again: direct offsets are aligned.
            let blocks = count == rest.count ? count : count / self.alignment * self.alignment
            guard blocks > 0 else { throw FileCallError(call: "pwrite", code: EIO) }
            done += blocks
        }
    }
}
