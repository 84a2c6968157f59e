// lmcache · SPDX-License-Identifier: Apache-2.0

/// A checked name of a POSIX shared-memory segment, with its leading slash.
struct SegmentName: Hashable {
    let text: String

    /// Accepts `/name` or `name`: 1 to 254 bytes without a slash or NUL, and neither `.` nor `..`.
    init?(_ given: String) {
        let name = given.hasPrefix("/") ? given.dropFirst() : given[...]
        guard (1...254).contains(name.utf8.count), name != ".", name != "..",
            !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0)
        else { return nil }
        self.text = "/" + name
    }
}
