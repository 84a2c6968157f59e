// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Why a file operation failed.
package struct DurableFileError: Error, Equatable, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
        /// A system call failed with this errno.
        case system(call: String, code: Int32)
        /// A directory, device, socket or pipe.
        case notRegular
        /// Another user owns the file.
        case foreignOwner(user: UInt32, expected: UInt32)
        /// Group or others may write to the file. Mode bits.
        case writableByOthers(mode: UInt32)
        case tooLarge(byteCount: Int, limit: Int)
    }

    package let path: String
    package let reason: Reason

    package init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    package var description: String {
        switch self.reason {
        case .system(let call, let code):
            return "\(self.path): \(call): \(String(cString: strerror(code))) (errno \(code))"
        case .notRegular:
            return "\(self.path): not a regular file"
        case .foreignOwner(let user, let expected):
            return "\(self.path): owned by user \(user), accepted is \(expected)"
        case .writableByOthers(let mode):
            return "\(self.path): mode \(String(mode, radix: 8)) lets others write, accepted is 600"
        case .tooLarge(let byteCount, let limit):
            return "\(self.path): \(byteCount) bytes, accepted are at most \(limit)"
        }
    }
}
