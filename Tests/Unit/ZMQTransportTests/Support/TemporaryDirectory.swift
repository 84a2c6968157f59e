// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A directory that is removed with its files when it goes out of scope.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/zmq-transport-XXXXXX".utf8CString)
        self.path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "" }
            return String(cString: made)
        }
        precondition(!self.path.isEmpty, "mkdtemp failed")
    }

    deinit {
        for name in self.names { unlink("\(self.path)/\(name)") }
        rmdir(self.path)
    }

    var names: [String] {
        guard let directory = opendir(self.path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
