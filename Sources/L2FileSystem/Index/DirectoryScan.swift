// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Finds what a directory holds when an adapter starts.
struct DirectoryScan {
    let calls: any FileCalls

    /// Age from which a temporary file belongs to nobody, in nanoseconds.
    static let orphanAge = 3_600_000_000_000

    private struct Found {
        let name: ObjectIndex.Name
        let byteCount: Int
        let changed: Int
    }

    /// Enters every object into the index, oldest first. Returns names of temporary files met on the way.
    func fill(_ index: inout ObjectIndex, from directory: String) throws(FileCallError) -> [String] {
        var found: [Found] = []
        var temporary: [String] = []
        let prefix = directory + "/"
        try self.calls.forEachName(in: directory) { raw in
            let bytes = Array(raw)
            if let fields = FileKeyFields.parsed(bytes) {
                guard let name = index.name(fields),
                    // A file that another server has just removed is simply not there.
                    let status = try? self.calls.status(at: prefix + String(decoding: bytes, as: UTF8.self)),
                    status.kind == .regular
                else { return }
                found.append(Found(name: name, byteCount: status.byteCount, changed: status.changed))
            } else if bytes.suffix(4).elementsEqual(TemporaryNames.suffix.utf8) {
                temporary.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        found.sort { $0.changed < $1.changed }
        for one in found { index.note(one.name, byteCount: one.byteCount) }
        return temporary
    }

    /// Names in a directory of temporary files, where the original keeps objects' own names too.
    func temporaryNames(in directory: String) throws(FileCallError) -> [String] {
        var names: [String] = []
        try self.calls.forEachName(in: directory) { raw in
            let bytes = Array(raw)
            guard bytes.suffix(4).elementsEqual(TemporaryNames.suffix.utf8) || FileKeyFields.parsed(bytes) != nil else {
                return
            }
            names.append(String(decoding: bytes, as: UTF8.self))
        }
        return names
    }

    /// Removes those of the named files that are old enough. Returns how many.
    func sweep(_ names: [String], in directory: String) -> Int {
        let now = self.calls.now()
        var removed = 0
        for name in names {
            let path = directory + "/" + name
            // What cannot be looked at or removed stays; it harms nobody.
            guard let status = try? self.calls.status(at: path), status.kind == .regular else { continue }
            let (age, overflow) = now.subtractingReportingOverflow(status.changed)
            guard !overflow, age >= Self.orphanAge, (try? self.calls.unlink(path)) != nil else { continue }
            removed += 1
        }
        return removed
    }
}
