// lmcache · SPDX-License-Identifier: Apache-2.0

/// A checked name of a POSIX shared-memory segment, with its leading slash.
struct SegmentName: Hashable {
    let text: String

    /// Names of our own pools: a client that registered one could make the server copy blocks over other objects.
    private static let poolPrefix = "lmcache_l1_pool_"

    /// Accepts `/name` or `name`: 1 to 254 bytes without a slash or NUL, neither `.` nor `..`, and not a server's pool.
    init?(_ given: String) {
        let name = given.hasPrefix("/") ? given.dropFirst() : given[...]
        guard (1...254).contains(name.utf8.count), name != ".", name != "..",
            !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0), !name.hasPrefix(Self.poolPrefix)
        else { return nil }
        self.text = "/" + name
    }
}
