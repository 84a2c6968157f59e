// lmcache · SPDX-License-Identifier: Apache-2.0

import DurableFile
import Glibc
import Testing

@Suite final class DurableFileTests {
    private let folder: String
    private let file: DurableFile

    init() throws {
        var template = Array("/tmp/lmcache-durable-file-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        self.folder = try #require(made)
        self.file = DurableFile(path: self.folder + "/file")
    }

    deinit {
        for name in ["file", "file.tmp", "file.aside", "target"] {
            unlink(self.folder + "/" + name)
            rmdir(self.folder + "/" + name)
        }
        rmdir(self.folder)
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : nil
    }

    private func expect(
        _ reason: DurableFileError.Reason,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        var found: DurableFileError.Reason?
        do { try body() } catch { found = (error as? DurableFileError)?.reason }
        #expect(found == reason, sourceLocation: sourceLocation)
    }

    @Test func noFileIsNoContent() throws {
        #expect(try self.file.read(limit: 10) == nil)
        try self.file.remove()
    }

    @Test func appendsToAPrivateFile() throws {
        try self.file.append([1, 2])
        try self.file.append([])
        try self.file.append([3])
        #expect(try self.file.read(limit: 3) == [1, 2, 3])
        #expect(self.mode(self.file.path).map { $0 & 0o7777 } == 0o600)
    }

    @Test func replacesTheWholeContent() throws {
        try self.file.append([1, 2, 3])
        for isSynchronized in [true, false] {
            try self.file.replace(with: [9], synchronize: isSynchronized)
            #expect(try self.file.read(limit: 10) == [9])
        }
        try self.file.replace(with: [])
        #expect(try self.file.read(limit: 0) == [])
        #expect(self.mode(self.file.path).map { $0 & 0o7777 } == 0o600)
        #expect(self.mode(self.file.path + ".tmp") == nil)
    }

    @Test func aLeftoverTemporaryFileDoesNotHinder() throws {
        try DurableFile(path: self.file.path + ".tmp").append([7])
        try self.file.replace(with: [9])
        #expect(try self.file.read(limit: 10) == [9])
    }

    @Test func reachesAcrossItsBuffer() throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try self.file.append(bytes)
        #expect(try self.file.read(limit: 200_000) == bytes)
    }

    @Test func refusesMoreThanTheLimit() throws {
        try self.file.append([1, 2, 3])
        self.expect(.tooLarge(byteCount: 3, limit: 2)) { _ = try self.file.read(limit: 2) }
    }

    @Test func movesAsideAndRemoves() throws {
        try self.file.append([1])
        try self.file.moveAside(suffix: ".aside")
        #expect(try self.file.read(limit: 10) == nil)
        #expect(try DurableFile(path: self.file.path + ".aside").read(limit: 10) == [1])
        try self.file.append([2])
        try self.file.remove()
        #expect(self.mode(self.file.path) == nil)
        self.expect(.system(call: "rename", code: ENOENT)) { try self.file.moveAside(suffix: ".aside") }
    }

    @Test func neverFollowsASymbolicLink() throws {
        let target = DurableFile(path: self.folder + "/target")
        try target.append([1])
        #expect(symlink(target.path, self.file.path) == 0)
        self.expect(.system(call: "open", code: ELOOP)) { _ = try self.file.read(limit: 10) }
        self.expect(.system(call: "open", code: ELOOP)) { try self.file.append([2]) }
        try self.file.moveAside(suffix: ".aside")
        #expect(try target.read(limit: 10) == [1])
    }

    @Test func refusesWhatIsNoRegularFileWithoutWaiting() throws {
        #expect(mkfifo(self.file.path, 0o600) == 0)
        self.expect(.notRegular) { _ = try self.file.read(limit: 10) }
        self.expect(.system(call: "open", code: ENXIO)) { try self.file.append([1]) }
        unlink(self.file.path)
        #expect(mkdir(self.file.path, 0o700) == 0)
        self.expect(.notRegular) { _ = try self.file.read(limit: 10) }
    }

    @Test(arguments: [0o620, 0o602, 0o666] as [mode_t])
    func refusesFilesThatOthersMayWriteTo(mode: mode_t) throws {
        try self.file.append([1])
        #expect(chmod(self.file.path, mode) == 0)
        self.expect(.writableByOthers(mode: UInt32(mode))) { _ = try self.file.read(limit: 10) }
        self.expect(.writableByOthers(mode: UInt32(mode))) { try self.file.append([1]) }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func refusesFilesOfOtherUsers() throws {
        try self.file.append([1])
        #expect(chown(self.file.path, 4321, 4321) == 0)
        self.expect(.foreignOwner(user: 4321, expected: 0)) { _ = try self.file.read(limit: 10) }
    }

    @Test func namesPathAndErrno() {
        let missing = DurableFile(path: self.folder + "/missing/file")
        self.expect(.system(call: "open", code: ENOENT)) { try missing.append([1]) }
        self.expect(.system(call: "open", code: ENOENT)) { try missing.replace(with: [1]) }
        let error = DurableFileError(path: "/a", reason: .system(call: "open", code: EACCES))
        #expect(String(describing: error) == "/a: open: Permission denied (errno 13)")
    }

    @Test func leavesNoDescriptorOpen() throws {
        for _ in 0..<50 {
            try self.file.replace(with: [1])
            try self.file.append([1])
            #expect(try self.file.read(limit: 2) == [1, 1])
            self.expect(.tooLarge(byteCount: 2, limit: 0)) { _ = try self.file.read(limit: 0) }
            chmod(self.file.path, 0o666)
            self.expect(.writableByOthers(mode: 0o666)) { _ = try self.file.read(limit: 10) }
            chmod(self.file.path, 0o600)
        }
        var openCount = 0
        for number in 0..<1024 as Range<Int32> where fcntl(number, F_GETFD) >= 0 { openCount += 1 }
        #expect(openCount < 100)
    }
}
