// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc

/// The real system calls.
struct LinuxArenaSystem: ArenaSystem {
    func createSegment(_ name: String) throws(SystemCallError) -> Int32 {
        try Self.check("shm_open", shm_open("/" + name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600))
    }

    func openSegment(_ name: String) throws(SystemCallError) -> Int32 {
        try Self.check("shm_open", shm_open("/" + name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0))
    }

    func unlinkSegment(_ name: String) throws(SystemCallError) {
        _ = try Self.check("shm_unlink", shm_unlink("/" + name))
    }

    func lock(_ descriptor: Int32) throws(SystemCallError) -> Bool {
        while true {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            if errno == EWOULDBLOCK { return false }
            if errno != EINTR { throw SystemCallError(call: "flock", errno: errno) }
        }
    }

    func describe(_ descriptor: Int32) throws(SystemCallError) -> SegmentDescription {
        var status = stat()
        _ = try Self.check("fstat", fstat(descriptor, &status))
        return SegmentDescription(
            owner: status.st_uid,
            linkCount: Int(clamping: status.st_nlink),
            isRegularFile: status.st_mode & S_IFMT == S_IFREG
        )
    }

    func createAnonymous(_ name: String) throws(SystemCallError) -> Int32 {
        try Self.check("memfd_create", lmc_memfd_create(name))
    }

    func resize(_ descriptor: Int32, byteCount: Int) throws(SystemCallError) {
        _ = try Self.check("ftruncate", ftruncate(descriptor, byteCount))
    }

    func map(_ descriptor: Int32, byteCount: Int) throws(SystemCallError) -> MappedMemory {
        let flags = MAP_SHARED | MAP_NORESERVE
        guard let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, descriptor, 0), base != MAP_FAILED else {
            throw SystemCallError(call: "mmap", errno: errno)
        }
        return MappedMemory(base: base, byteCount: byteCount)
    }

    func unmap(_ memory: MappedMemory) {
        _ = munmap(memory.base, memory.byteCount)
    }

    func allocate(_ descriptor: Int32, offset: Int, byteCount: Int) throws(SystemCallError) {
        _ = try Self.check("fallocate", lmc_file_allocate(descriptor, offset, byteCount))
    }

    func populate(_ memory: MappedMemory, offset: Int, byteCount: Int) {
        _ = lmc_populate_write(memory.base + offset, byteCount)
    }

    func close(_ descriptor: Int32) {
        _ = Glibc.close(descriptor)
    }

    func segmentCapacity() -> Int? {
        var figures = statvfs()
        guard statvfs("/dev/shm", &figures) == 0 else { return nil }
        let (bytes, overflowed) = UInt64(figures.f_blocks).multipliedReportingOverflow(by: UInt64(figures.f_frsize))
        return overflowed ? .max : Int(clamping: bytes)
    }

    var userID: UInt32 { geteuid() }
    var processID: Int32 { getpid() }

    private static func check(_ call: String, _ result: Int32) throws(SystemCallError) -> Int32 {
        guard result >= 0 else { throw SystemCallError(call: call, errno: errno) }
        return result
    }
}
