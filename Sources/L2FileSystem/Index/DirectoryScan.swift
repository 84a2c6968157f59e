// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import L2Storage

/// Finds what a directory holds when an adapter starts.
struct DirectoryScan {
    let calls: any FileCalls

    /// Age from which a temporary file belongs to nobody, in nanoseconds.
    static let orphanAge = 3_600_000_000_000

    /// Enters every object into the index, oldest first. Returns names of temporary files met on the way.
    ///
    /// Names are taken apart here while other threads ask for lengths and times: a large directory waits for those.
    func fill(_ index: inout ObjectIndex, from directory: String) throws(FileCallError) -> [String] {
        let file = try OpenFile(directory, flags: O_RDONLY | O_DIRECTORY, direct: false, calls: self.calls)
        let survey = StatusSurvey(calls: self.calls, directory: file.descriptor)
        defer { survey.end() }  // before the directory is closed, also after a failure
        var temporary: [String] = []
        var batch = NameBatch()
        try self.calls.forEachName(in: directory) { raw in
            let bytes = Array(raw)
            if let fields = FileKeyFields.parsed(bytes) {
                guard let name = index.name(fields) else { return }
                batch.add(name, text: bytes)
                guard batch.isFull else { return }
                survey.take(batch)
                batch = NameBatch()
            } else if bytes.suffix(4).elementsEqual(TemporaryNames.suffix.utf8) {
                temporary.append(String(decoding: bytes, as: UTF8.self))
            }
        }
        let found = survey.finish(batch).sorted { $0.changed < $1.changed }
        index.reserveCapacity(found.count)
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
