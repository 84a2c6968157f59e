// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// One open descriptor of a regular file that only this user can write to; closed when it goes out of scope.
struct FileDescriptor: ~Copyable {
    private let number: Int32
    private let path: String

    /// Opens `path`, never through a symbolic link in its last component and never inherited by child processes.
    ///
    /// - Throws: Also when the file is no regular file, belongs to another user or others may write to it.
    static func open(_ path: String, flags: Int32) throws(DurableFileError) -> Self {
        // O_NONBLOCK: opening a pipe that somebody put there must fail, not wait.
        let flags = flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        var number: Int32
        repeat { number = Glibc.open(path, flags, 0o600) } while number < 0 && errno == EINTR
        guard number >= 0 else { throw Self.failure("open", path: path) }
        let descriptor = Self(number: number, path: path)
        try descriptor.checkOwnership()
        return descriptor
    }

    private init(number: Int32, path: String) {
        self.number = number
        self.path = path
    }

    deinit {
        close(self.number)
    }

    /// Length of the file in bytes.
    func byteCount() throws(DurableFileError) -> Int {
        Int(try self.status().st_size)
    }

    /// Reads from the start to the end.
    ///
    /// - Throws: Also when there are more than `limit` bytes, also if they appear while reading.
    func readAll(limit: Int) throws(DurableFileError) -> [UInt8] {
        let claimed = try self.byteCount()
        guard claimed <= limit else { throw self.tooLarge(claimed, limit: limit) }
        var result: [UInt8] = []
        result.reserveCapacity(claimed)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(self.number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("read", path: self.path) }
            if count == 0 { return result }
            guard result.count + count <= limit else { throw self.tooLarge(result.count + count, limit: limit) }
            result.append(contentsOf: buffer.prefix(count))
        }
    }

    /// Writes every byte at the descriptor's position.
    func write(_ bytes: [UInt8]) throws(DurableFileError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { area in
                Glibc.write(self.number, area.baseAddress.map { $0 + done }, area.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write", path: self.path) }
            done += count
        }
    }

    /// Waits until the bytes are on the device.
    func synchronize() throws(DurableFileError) {
        var result: Int32
        repeat { result = fsync(self.number) } while result < 0 && errno == EINTR
        guard result == 0 else { throw Self.failure("fsync", path: self.path) }
    }

    private func checkOwnership() throws(DurableFileError) {
        let status = try self.status()
        guard status.st_mode & S_IFMT == S_IFREG else { throw DurableFileError(path: self.path, reason: .notRegular) }
        guard status.st_uid == geteuid() else {
            throw DurableFileError(
                path: self.path,
                reason: .foreignOwner(user: status.st_uid, expected: geteuid())
            )
        }
        guard status.st_mode & 0o022 == 0 else {
            throw DurableFileError(path: self.path, reason: .writableByOthers(mode: status.st_mode & 0o777))
        }
    }

    private func status() throws(DurableFileError) -> stat {
        var status = stat()
        guard fstat(self.number, &status) == 0 else { throw Self.failure("fstat", path: self.path) }
        return status
    }

    private func tooLarge(_ byteCount: Int, limit: Int) -> DurableFileError {
        DurableFileError(path: self.path, reason: .tooLarge(byteCount: byteCount, limit: limit))
    }

    private static func failure(_ call: String, path: String) -> DurableFileError {
        DurableFileError(path: path, reason: .system(call: call, code: errno))
    }
}
