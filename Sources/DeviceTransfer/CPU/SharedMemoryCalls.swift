// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The system calls that opening engine memory needs; tests put failures in their place.
///
/// Every call answers the error number instead of setting `errno`.
protocol SharedMemoryCalls: Sendable {
    /// Opens an existing segment for reading and writing. `name` starts with a slash.
    func open(_ name: String) -> Result<Int32, SystemError>
    func status(_ descriptor: Int32) -> Result<SegmentStatus, SystemError>
    /// Maps the first `byteCount` bytes, shared, for reading and writing.
    func map(_ descriptor: Int32, byteCount: Int) -> Result<UnsafeMutableRawPointer, SystemError>
    func unmap(_ base: UnsafeMutableRawPointer, byteCount: Int)
    func close(_ descriptor: Int32)
    /// The user whose segments are trusted.
    func effectiveUser() -> UInt32
}

/// An `errno` value.
struct SystemError: Error, Equatable {
    let code: Int32
}

/// What `fstat` says about a segment.
struct SegmentStatus: Equatable {
    let byteCount: Int
    let owner: UInt32
    let isRegularFile: Bool
    var file = FileIdentity(device: 0, number: 0)
    /// False while some of its pages have no memory yet: touching one takes it, or raises SIGBUS where none is left.
    var isBacked = true
}

/// Which file a descriptor leads to, whatever its name.
struct FileIdentity: Equatable {
    let device: UInt
    let number: UInt
}

/// The system itself.
struct LinuxSharedMemoryCalls: SharedMemoryCalls {
    func open(_ name: String) -> Result<Int32, SystemError> {
        while true {
            let descriptor = shm_open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0)
            if descriptor >= 0 { return .success(descriptor) }
            if errno != EINTR { return .failure(SystemError(code: errno)) }
        }
    }

    func status(_ descriptor: Int32) -> Result<SegmentStatus, SystemError> {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failure(SystemError(code: errno)) }
        return .success(
            SegmentStatus(
                byteCount: Int(status.st_size), owner: status.st_uid,
                isRegularFile: status.st_mode & S_IFMT == S_IFREG,
                file: FileIdentity(device: UInt(status.st_dev), number: UInt(status.st_ino)),
                isBacked: Int(status.st_blocks) >= Int(status.st_size).dividedRoundingUp(by: 512)))
    }

    func map(_ descriptor: Int32, byteCount: Int) -> Result<UnsafeMutableRawPointer, SystemError> {
        let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let base, base != MAP_FAILED else { return .failure(SystemError(code: errno)) }
        return .success(base)
    }

    func unmap(_ base: UnsafeMutableRawPointer, byteCount: Int) { munmap(base, byteCount) }

    func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    func effectiveUser() -> UInt32 { geteuid() }
}

extension Int {
    fileprivate func dividedRoundingUp(by divisor: Int) -> Int { self / divisor + (self % divisor == 0 ? 0 : 1) }
}
