// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import L2FileSystem
import Synchronization

/// The real calls, of which the n-th fails; counts descriptors that are open.
final class FaultingFileCalls: FileCalls {
    private struct State {
        var calls = 0
        var failing: Int?
        var code: Int32 = EIO
        var isSticky = false
        var writeLimit: Int?
        var openFiles = 0
        var failed = 0
    }

    private let system = SystemFileCalls()
    private let state = Mutex(State())

    /// Lets call number `number` from now on fail, and all after it if `sticky`.
    func fail(_ number: Int?, _ code: Int32, sticky: Bool = false) {
        self.state.withLock {
            $0.calls = 0
            $0.failed = 0
            $0.failing = number
            $0.code = code
            $0.isSticky = sticky
        }
    }

    /// Cuts every read and write to this many bytes.
    func cut(to byteCount: Int) { self.state.withLock { $0.writeLimit = byteCount } }

    var openFiles: Int { self.state.withLock { $0.openFiles } }
    var failedCalls: Int { self.state.withLock { $0.failed } }

    private func step(_ call: StaticString) throws(FileCallError) {
        let code: Int32? = self.state.withLock { state in
            state.calls += 1
            guard let failing = state.failing,
                state.calls == failing || state.isSticky && state.calls > failing
            else { return nil }
            state.failed += 1
            return state.code
        }
        if let code { throw FileCallError(call: call, code: code) }
    }

    private var limit: Int { self.state.withLock { $0.writeLimit ?? .max } }

    func open(_ path: String, flags: Int32) throws(FileCallError) -> Int32 {
        try self.step("open")
        let descriptor = try self.system.open(path, flags: flags)
        self.state.withLock { $0.openFiles += 1 }
        return descriptor
    }

    func close(_ descriptor: Int32) throws(FileCallError) {
        // As in Linux, the descriptor is gone whatever the call says.
        try self.system.close(descriptor)
        self.state.withLock { $0.openFiles -= 1 }
        try self.step("close")
    }

    func status(of descriptor: Int32) throws(FileCallError) -> FileStatus {
        try self.step("fstat")
        return try self.system.status(of: descriptor)
    }

    func status(at path: String) throws(FileCallError) -> FileStatus {
        try self.step("lstat")
        return try self.system.status(at: path)
    }

    func status(ofName name: UnsafePointer<CChar>, in directory: Int32) throws(FileCallError) -> FileStatus {
        try self.step("fstatat")
        return try self.system.status(ofName: name, in: directory)
    }

    func read(_ descriptor: Int32, into area: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileCallError)
        -> Int
    {
        try self.step("pread")
        let part = UnsafeMutableRawBufferPointer(rebasing: area.prefix(self.limit))
        return try self.system.read(descriptor, into: part, at: offset)
    }

    func write(_ descriptor: Int32, from area: UnsafeRawBufferPointer, at offset: Int) throws(FileCallError) -> Int {
        try self.step("pwrite")
        return try self.system.write(
            descriptor, from: UnsafeRawBufferPointer(rebasing: area.prefix(self.limit)), at: offset)
    }

    func truncate(_ descriptor: Int32, to byteCount: Int) throws(FileCallError) {
        try self.step("ftruncate")
        try self.system.truncate(descriptor, to: byteCount)
    }

    func synchronize(_ descriptor: Int32) throws(FileCallError) {
        try self.step("fdatasync")
        try self.system.synchronize(descriptor)
    }

    func setChecksum(_ descriptor: Int32, _ checksum: UInt32) throws(FileCallError) {
        try self.step("fsetxattr")
        try self.system.setChecksum(descriptor, checksum)
    }

    func checksum(of descriptor: Int32) throws(FileCallError) -> UInt32? {
        try self.step("fgetxattr")
        return try self.system.checksum(of: descriptor)
    }

    func rename(_ source: String, to destination: String) throws(FileCallError) {
        try self.step("rename")
        try self.system.rename(source, to: destination)
    }

    func unlink(_ path: String) throws(FileCallError) {
        try self.step("unlink")
        try self.system.unlink(path)
    }

    func makeDirectory(_ path: String) throws(FileCallError) {
        try self.step("mkdir")
        try self.system.makeDirectory(path)
    }

    func forEachName(in path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(FileCallError) {
        try self.step("opendir")
        try self.system.forEachName(in: path, body)
    }

    func now() -> Int { self.system.now() }
    func draw() -> UInt64 { 42 }
}
