// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A POSIX shared-memory segment of this program, mapped and filled with pages.
final class SharedSegment: @unchecked Sendable {  // constant after init; whoever uses the memory settles access
    let name: String
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(name: String, byteCount: Int) throws(BenchmarkError) {
        self.name = name
        self.byteCount = byteCount
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(call: "shm_open \(name)", code: errno) }
        defer { close(descriptor) }
        let code = posix_fallocate(descriptor, 0, off_t(byteCount))
        guard code == 0 else {
            shm_unlink(name)
            throw .system(call: "posix_fallocate \(name)", code: code)
        }
        let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let base, base != MAP_FAILED else {
            shm_unlink(name)
            throw .system(call: "mmap \(name)", code: errno)
        }
        self.base = base
        memset(base, 1, byteCount)
    }

    deinit { munmap(self.base, self.byteCount) }

    /// Removes the name; mappings stay.
    func unlink() { shm_unlink(self.name) }
}
