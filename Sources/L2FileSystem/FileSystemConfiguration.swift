// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

/// The keys of `fs` and `fs_native`.
///
/// Source: storage reference §4.4.1; `max_capacity_gb`, `num_workers` for `fs`, `fsync` and `checksums` are
/// ours.
package struct FileSystemConfiguration: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case buffered = "fs"
        case native = "fs_native"
    }

    package var kind: Kind
    package var basePath: String
    /// Where files are written before they get their name, below ``basePath``; nil for ``basePath`` itself.
    package var temporaryDirectory: String?
    /// Bytes of a first small read that starts the system's own reading ahead.
    package var readAheadBytes: Int?
    package var usesDirectIO = false
    package var workers = 4
    package var capacityBytes: Int?
    /// Waits until each object, and its name, are on the device.
    package var synchronizes = false
    /// Whether an object's CRC-32C is noted beside it, and compared where it is there.
    package var usesChecksums = true
    /// What direct I/O aligns to, and what a padded file's length is a multiple of. A power of two.
    package var alignment = 4096

    package init(kind: Kind, basePath: String) {
        self.kind = kind
        self.basePath = basePath
    }

    /// - Throws: Names the key, what was given and what is accepted.
    package init(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) {
        var options = configuration.options
        guard let kind = Kind(rawValue: configuration.type) else {
            throw L2ConfigurationError("type '\(configuration.type)' is no file system")
        }
        guard let path = try options.string("base_path"), !path.isEmpty, !path.utf8.contains(0) else {
            throw L2ConfigurationError("\(options.context): 'base_path' is missing; accepted is a directory's path")
        }
        self.init(kind: kind, basePath: path)
        if let name = try options.string("relative_tmp_dir") {
            self.temporaryDirectory = try Self.temporaryDirectory(name, options)
        }
        self.readAheadBytes = try options.integer("read_ahead_size", in: 1...Int(Int32.max))
        self.usesDirectIO = try options.bool("use_odirect") ?? false
        self.workers = try options.integer("num_workers", in: 1...1024) ?? 4
        self.capacityBytes = try options.gigabytes("max_capacity_gb").flatMap { $0 > 0 ? $0 : nil }
        self.synchronizes = try options.bool("fsync") ?? false
        self.usesChecksums = try options.bool("checksums") ?? true
        try options.finish()
    }

    /// Length of the file that is written for an object: `fs_native` pads what it writes directly, as the original does.
    func storedByteCount(_ byteCount: Int) -> Int {
        self.kind == .native && self.usesDirectIO ? self.rounded(byteCount) : byteCount
    }

    /// Whether a file of `found` bytes can be an object of `byteCount` bytes, written plainly or padded.
    func accepts(found: Int, byteCount: Int) -> Bool {
        found == byteCount || found == self.rounded(byteCount)
    }

    /// Next multiple of the alignment; objects are far smaller than what could overflow.
    func rounded(_ byteCount: Int) -> Int {
        let (sum, overflow) = byteCount.addingReportingOverflow(self.alignment - 1)
        return overflow ? byteCount : sum & ~(self.alignment - 1)
    }

    private static func temporaryDirectory(
        _ name: String, _ options: L2Options
    ) throws(L2ConfigurationError) -> String? {
        let parts = name.split(separator: "/").filter { $0 != "." }
        guard !name.hasPrefix("/"), !parts.contains(".."), !name.utf8.contains(0) else {
            throw L2ConfigurationError(
                "\(options.context): 'relative_tmp_dir' is '\(name)', accepted is a path below base_path without '..'")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }
}
