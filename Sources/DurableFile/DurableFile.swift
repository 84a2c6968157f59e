// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A small private file that is appended to and replaced whole, so that a crash leaves the old or the new content.
///
/// Each call opens the file anew: mode 0600, never through a symbolic link, owned by this user and closed to writers of
/// other users. Any thread; the caller orders calls.
package struct DurableFile: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    /// The whole content, or nil when there is no such file.
    ///
    /// - Throws: Also when the content exceeds `limit` bytes; nothing that large is allocated.
    package func read(limit: Int) throws(DurableFileError) -> [UInt8]? {
        do {
            return try FileDescriptor.open(self.path, flags: O_RDONLY).readAll(limit: limit)
        } catch {
            if error.reason == .system(call: "open", code: ENOENT) { return nil }
            throw error
        }
    }

    /// Adds bytes at the end, making the file when needed.
    ///
    /// A failed call may have written a part of them.
    ///
    /// Survives the end of this process, not a power failure.
    package func append(_ bytes: [UInt8]) throws(DurableFileError) {
        try FileDescriptor.open(self.path, flags: O_WRONLY | O_APPEND | O_CREAT).write(bytes)
    }

    /// Sets the whole content: a temporary file beside this one is written, then renamed over it.
    ///
    /// - Parameter synchronize: Also waits until the content is on the device, so that it survives a power failure.
    package func replace(with bytes: [UInt8], synchronize: Bool = true) throws(DurableFileError) {
        let temporary = self.path + ".tmp"
        if unlink(temporary) != 0, errno != ENOENT { throw self.failure("unlink", path: temporary) }
        do {
            let file = try FileDescriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL)
            try file.write(bytes)
            if synchronize { try file.synchronize() }
            try self.rename(temporary, to: self.path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Gives the file another name, over a file of that name.
    ///
    /// A symbolic link is itself renamed.
    package func moveAside(suffix: String) throws(DurableFileError) {
        try self.rename(self.path, to: self.path + suffix)
    }

    /// Deletes the file; no file is no error.
    package func remove() throws(DurableFileError) {
        if unlink(self.path) != 0, errno != ENOENT { throw self.failure("unlink", path: self.path) }
    }

    private func rename(_ source: String, to destination: String) throws(DurableFileError) {
        guard Glibc.rename(source, destination) == 0 else { throw self.failure("rename", path: source) }
    }

    private func failure(_ call: String, path: String) -> DurableFileError {
        DurableFileError(path: path, reason: .system(call: call, code: errno))
    }
}
