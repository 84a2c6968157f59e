// lmcache · SPDX-License-Identifier: Apache-2.0

internal import CSystemShims
internal import Glibc
internal import L2Storage

/// The real calls.
package struct SystemFileCalls: FileCalls {
    package init() {}

    package func open(_ path: String, flags: Int32) throws(FileCallError) -> Int32 {
        let flags = flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        return try Self.repeated("open") { Glibc.open(path, flags, 0o644) }
    }

    package func close(_ descriptor: Int32) throws(FileCallError) {
        // Never repeated: Linux has released the descriptor also when the call was interrupted.
        guard Glibc.close(descriptor) == 0 || errno == EINTR else { throw FileCallError(call: "close", code: errno) }
    }

    package func status(of descriptor: Int32) throws(FileCallError) -> FileStatus {
        var status = stat()
        _ = try Self.repeated("fstat") { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    package func status(at path: String) throws(FileCallError) -> FileStatus {
        var status = stat()
        _ = try Self.repeated("lstat") { lstat(path, &status) }
        return FileStatus(status)
    }

    package func status(ofName name: UnsafePointer<CChar>, in directory: Int32) throws(FileCallError) -> FileStatus {
        var status = stat()
        _ = try Self.repeated("fstatat") { fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) }
        return FileStatus(status)
    }

    package func read(
        _ descriptor: Int32, into area: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(FileCallError) -> Int {
        try Self.repeated("pread") { pread(descriptor, area.baseAddress, area.count, off_t(offset)) }
    }

    package func write(
        _ descriptor: Int32, from area: UnsafeRawBufferPointer, at offset: Int
    ) throws(FileCallError) -> Int {
        try Self.repeated("pwrite") { pwrite(descriptor, area.baseAddress, area.count, off_t(offset)) }
    }

    package func truncate(_ descriptor: Int32, to byteCount: Int) throws(FileCallError) {
        _ = try Self.repeated("ftruncate") { ftruncate(descriptor, off_t(byteCount)) }
    }

    package func synchronize(_ descriptor: Int32) throws(FileCallError) {
        _ = try Self.repeated("fdatasync") { fdatasync(descriptor) }
    }

    /// Eight hexadecimal digits.
    private static let checksumAttribute = "user.lmcache.crc32c"

    package func setChecksum(_ descriptor: Int32, _ checksum: UInt32) throws(FileCallError) {
        let text = Array(L2Checksum.text(checksum).utf8)
        _ = try Self.repeated("fsetxattr") {
            lmc_file_set_attribute(descriptor, Self.checksumAttribute, text, text.count)
        }
    }

    package func checksum(of descriptor: Int32) throws(FileCallError) -> UInt32? {
        var text = [UInt8](repeating: 0, count: 16)
        do throws(FileCallError) {
            let count = try Self.repeated("fgetxattr") {
                lmc_file_attribute(descriptor, Self.checksumAttribute, &text, text.count)
            }
            return UInt32(String(decoding: text.prefix(count), as: UTF8.self), radix: 16)
        } catch {
            guard [ENODATA, ENOTSUP, ERANGE].contains(error.code) else { throw error }
            return nil
        }
    }

    package func rename(_ source: String, to destination: String) throws(FileCallError) {
        _ = try Self.repeated("rename") { Glibc.rename(source, destination) }
    }

    package func unlink(_ path: String) throws(FileCallError) {
        _ = try Self.repeated("unlink") { Glibc.unlink(path) }
    }

    package func makeDirectory(_ path: String) throws(FileCallError) {
        _ = try Self.repeated("mkdir") { mkdir(path, 0o777) }
    }

    package func forEachName(in path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(FileCallError) {
        guard let directory = opendir(path) else { throw FileCallError(call: "opendir", code: errno) }
        defer { closedir(directory) }
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = UnsafeRawPointer(entry) + Self.nameOffset
            // The kernel ends each name with a zero byte inside the entry.
            body(UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self))))
        }
        guard errno == 0 else { throw FileCallError(call: "readdir", code: errno) }
    }

    package func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return FileStatus.nanoseconds(time)
    }

    package func draw() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    private static let nameOffset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0

    private static func repeated<Value: FixedWidthInteger>(
        _ call: StaticString, _ body: () -> Value
    ) throws(FileCallError) -> Value {
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw FileCallError(call: call, code: code) }
        }
    }
}

extension FileStatus {
    fileprivate init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            default: .other
            }
        self.init(
            kind: kind, byteCount: max(0, Int(status.st_size)), changed: FileStatus.nanoseconds(status.st_mtim))
    }

    static func nanoseconds(_ time: timespec) -> Int {
        let (product, overflow) = time.tv_sec.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (time.tv_sec < 0 ? .min : .max) : product.addingReportingOverflow(time.tv_nsec).partialValue
    }
}
