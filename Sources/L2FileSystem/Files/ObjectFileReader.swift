// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Fills memory from an open object file.
struct ObjectFileReader {
    let calls: any FileCalls
    let alignment: Int
    let readAheadBytes: Int?

    private static let bounceBytes = 1 << 20
    /// What is read at once where it is summed up too: the sum then finds it in the processor's cache.
    private static let summedBytes = 1 << 18

    /// Reads `area.count` bytes from the start. Returns how many there were.
    func read(_ file: borrowing OpenFile, into area: UnsafeMutableRawBufferPointer) throws(FileCallError) -> Int {
        if file.isDirect { return try self.readDirect(file, into: area) }
        return try self.read(file, into: area, atMost: area.count) { _ in }
    }

    /// Reads as ``read(_:into:)`` does. Returns also the checksum of what was read.
    func readSummed(
        _ file: borrowing OpenFile, into area: UnsafeMutableRawBufferPointer
    ) throws(FileCallError) -> (count: Int, checksum: UInt32) {
        if file.isDirect {
            let count = try self.readDirect(file, into: area)
            return (count, L2Checksum.of(UnsafeRawBufferPointer(rebasing: area[..<count])))
        }
        var checksum: UInt32 = 0
        let count = try self.read(file, into: area, atMost: Self.summedBytes) { part in
            checksum = L2Checksum.of(part, following: checksum)
        }
        return (count, checksum)
    }

    private func read(
        _ file: borrowing OpenFile, into area: UnsafeMutableRawBufferPointer, atMost limit: Int,
        _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(FileCallError) -> Int {
        var done = 0
        while done < area.count {
            let wanted = min(area.count - done, limit, done == 0 ? self.readAheadBytes ?? .max : .max)
            let part = UnsafeMutableRawBufferPointer(rebasing: area[done..<(done + wanted)])
            let count = min(try self.calls.read(file.descriptor, into: part, at: done), wanted)
            guard count > 0 else { break }
            take(UnsafeRawBufferPointer(rebasing: part[..<count]))
            done += count
        }
        return done
    }

    private func readDirect(
        _ file: borrowing OpenFile, into area: UnsafeMutableRawBufferPointer
    ) throws(FileCallError) -> Int {
        var done = 0
        if let base = area.baseAddress, UInt(bitPattern: base) % UInt(self.alignment) == 0 {
            let whole = area.count / self.alignment * self.alignment
            while done < whole {
                let count = try self.calls.read(
                    file.descriptor, into: UnsafeMutableRawBufferPointer(rebasing: area[done..<whole]), at: done)
                guard count > 0 else { return done }
                done += min(count, whole - done)
                // Past a short read only an aligned offset can follow; the rest of that block is read again.
                guard done < whole else { break }
                let aligned = done / self.alignment * self.alignment
                guard aligned > 0, aligned > done - count else { return done }
                done = aligned
            }
        }
        guard done < area.count else { return done }
        let size = min(Self.bounceBytes, (area.count - done + self.alignment - 1) / self.alignment * self.alignment)
        let bounce = BounceBuffer(byteCount: size, alignment: self.alignment)
        while done < area.count {
            let wanted = min(bounce.area.count, area.count - done)
            let count = min(wanted, try self.calls.read(file.descriptor, into: bounce.area, at: done))
            guard count > 0 else { break }
            UnsafeMutableRawBufferPointer(rebasing: area[done..<(done + count)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bounce.area[..<count]))
            done += count
            guard count == wanted || count % self.alignment == 0 else { break }
        }
        return done
    }
}
