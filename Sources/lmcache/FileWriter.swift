// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Writes text to descriptors and files without Foundation.
enum FileWriter {
    /// Writes all of `text`.
    ///
    /// Returns 0 or an error number.
    @discardableResult
    static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return errno }
            rest = rest.dropFirst(count)
        }
        return 0
    }

    /// Replaces the file at `path`.
    ///
    /// Returns 0 or an error number.
    static func write(_ text: String, path: String) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return errno }
        let problem = Self.write(text, to: descriptor)
        return close(descriptor) == 0 || problem != 0 ? problem : errno
    }
}
