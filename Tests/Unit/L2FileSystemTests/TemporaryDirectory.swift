// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import L2Storage

/// A directory of its own for one test, removed with everything in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init(below parent: String = "/tmp") {
        var template = Array("\(parent)/lmcache-l2-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary directory")
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(self.path) }

    /// Names in the directory, sorted.
    var names: [String] { Self.names(self.path) }

    func write(_ content: [UInt8], to name: String) {
        let descriptor = open("\(self.path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        precondition(descriptor >= 0, "the file cannot be made")
        precondition(Glibc.write(descriptor, content, content.count) == content.count, "a short write")
        close(descriptor)
    }

    func read(_ name: String) -> [UInt8] {
        let descriptor = open("\(self.path)/\(name)", O_RDONLY)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: 2 << 20)
        let count = Glibc.read(descriptor, &content, content.count)
        return Array(content.prefix(max(0, count)))
    }

    /// Sets a file's times to this many seconds since 1970.
    func setTime(_ seconds: Int, of name: String) {
        let time = timespec(tv_sec: seconds, tv_nsec: 0)
        utimensat(AT_FDCWD, "\(self.path)/\(name)", [time, time], 0)
    }

    private static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func remove(_ path: String) {
        for name in Self.names(path) where unlink("\(path)/\(name)") != 0 { Self.remove("\(path)/\(name)") }
        rmdir(path)
    }
}
