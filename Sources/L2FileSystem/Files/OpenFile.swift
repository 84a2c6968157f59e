// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// One open file; closed when it goes out of scope, or earlier where the result matters.
struct OpenFile: ~Copyable {
    let descriptor: Int32
    private let calls: any FileCalls
    /// Whether the descriptor bypasses the page cache.
    let isDirect: Bool
    private var isOpen = true

    #if arch(arm64)
        static let directFlag: Int32 = 0o200000
    #else
        static let directFlag: Int32 = 0o40000
    #endif

    /// Opens, without the page cache if `direct` and the file system can.
    init(_ path: String, flags: Int32, direct: Bool, calls: any FileCalls) throws(FileCallError) {
        self.calls = calls
        if direct {
            do {
                self.descriptor = try calls.open(path, flags: flags | Self.directFlag)
                self.isDirect = true
                return
            } catch {
                guard error.code == EINVAL else { throw error }
                // Some file systems have made the file before they refuse the flag.
                if flags & O_EXCL != 0 { try? calls.unlink(path) }  // a file that stays makes the next open fail
            }
        }
        self.descriptor = try calls.open(path, flags: flags)
        self.isDirect = false
    }

    deinit {
        // Nothing was written, or the write has failed already.
        if self.isOpen { try? self.calls.close(self.descriptor) }
    }

    /// Closes and tells whether that worked: network file systems report late write errors here.
    consuming func close() throws(FileCallError) {
        self.isOpen = false
        try self.calls.close(self.descriptor)
    }
}
