// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The memory lines of `/proc/PID/status`, in bytes.
struct ProcessStatus {
    let anonymousBytes: Int
    let fileBytes: Int
    let sharedBytes: Int

    /// Resident memory without shared-memory pages, which are the pool and engines' segments.
    var residentBytesBesidePool: Int { self.anonymousBytes + self.fileBytes }

    /// Nil unless the text has all three lines.
    init?(_ text: String) {
        func bytes(_ name: String) -> Int? {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
            return number.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        guard let anonymous = bytes("RssAnon"), let file = bytes("RssFile"), let shared = bytes("RssShmem") else {
            return nil
        }
        self.anonymousBytes = anonymous
        self.fileBytes = file
        self.sharedBytes = shared
    }

    init?(reading process: pid_t) {
        let descriptor = open("/proc/\(process)/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8_192)
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        self.init(String(decoding: buffer.prefix(count), as: UTF8.self))
    }
}
