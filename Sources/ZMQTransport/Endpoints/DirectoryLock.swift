// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Keeps two servers that start at once from unlinking each other's socket file.
///
/// A lock on the directory leaves no file behind. It is best effort: another user may hold it for ever, so after half a
/// second the work goes on without it.
struct DirectoryLock {
    private let descriptor: Int32

    /// Locks the directory that holds `path`.
    init(holding path: String) {
        let directory =
            switch path.lastIndex(of: "/") {
            case .none: "."
            case .some(path.startIndex): "/"
            case .some(let slash): String(path[..<slash])
            }
        self.descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard self.descriptor >= 0 else { return }
        for _ in 0..<100 {
            if flock(self.descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { return }
            usleep(5_000)
        }
    }

    func release() {
        if self.descriptor >= 0 { close(self.descriptor) }
    }
}
