// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import KVModel
package import L2Storage
internal import Synchronization

/// Objects as files of one flat directory, with the names and bytes of LMCache 0.5.6's `fs` and `fs_native`.
///
/// The directory is the truth: several servers may share it, and what the index says only accounts. A file is visible
/// under an object's name after its last byte is in place. Lock: one, around the index; no call is made under it.
package final class FileMedium: L2Medium {
    package let configuration: FileSystemConfiguration
    /// Temporary files without an owner that the start removed.
    package let sweptCount: Int
    private let calls: any FileCalls
    private let names: TemporaryNames
    private let reader: ObjectFileReader
    private let writer: ObjectFileWriter
    private let state: Mutex<State>

    private struct State {
        var index: ObjectIndex
        /// Models whose manifest on the medium says another layout.
        var foreignModels: Set<String> = []
        /// Models whose manifest on the medium agreed once.
        var boundModels: Set<String> = []
    }

    /// Makes the directories, scans them and removes temporary files that nobody has touched for an hour.
    package init(_ configuration: FileSystemConfiguration, calls: any FileCalls = SystemFileCalls())
        throws(FileCallError)
    {
        self.configuration = configuration
        self.calls = calls
        self.names = TemporaryNames(nonce: calls.draw())
        self.reader = ObjectFileReader(
            calls: calls, alignment: configuration.alignment, readAheadBytes: configuration.readAheadBytes)
        self.writer = ObjectFileWriter(
            calls: calls, alignment: configuration.alignment, usesDirectIO: configuration.usesDirectIO,
            synchronizes: configuration.synchronizes, directory: configuration.basePath)
        let base = configuration.basePath
        try Self.makeDirectories(base, calls)
        let scan = DirectoryScan(calls: calls)
        var index = ObjectIndex(capacityBytes: configuration.capacityBytes)
        var swept = scan.sweep(try scan.fill(&index, from: base), in: base)
        if let temporary = configuration.temporaryDirectory {
            try Self.makeDirectories(base + "/" + temporary, calls)
            swept += scan.sweep(try scan.temporaryNames(in: base + "/" + temporary), in: base + "/" + temporary)
        }
        self.sweptCount = swept
        self.state = Mutex(State(index: index))
    }

    package func store(_ object: L2Object) -> L2Result {
        let byteCount = object.buffer.byteCount
        guard let place = self.place(of: object.key) else { return .failed(.unspellable) }
        guard !place.isForeign else { return .miss(.otherLayout) }
        var replaced = 0
        do {
            let status = try self.calls.status(at: place.path)
            if status.kind == .directory { return .miss(.notAnObject) }
            if status.kind == .regular {
                if self.configuration.accepts(found: status.byteCount, byteCount: byteCount) {
                    self.state.withLock { $0.index.note(place.name, byteCount: status.byteCount) }
                    return .present(byteCount: byteCount)
                }
                replaced = status.byteCount
            }
        } catch {
            guard error.code == ENOENT else { return Self.failure(error) }
        }
        return self.write(object, to: place, replacing: replaced)
    }

    package func lookup(_ probe: L2Probe) -> L2Result {
        guard let place = self.place(of: probe.key) else { return .failed(.unspellable) }
        guard !place.isForeign else { return .miss(.otherLayout) }
        do {
            return self.verdict(try self.calls.status(at: place.path), place, byteCount: probe.byteCount)
        } catch {
            return self.missOrFailure(error, place)
        }
    }

    package func load(_ object: L2Object) -> L2Result {
        let byteCount = object.buffer.byteCount
        guard let place = self.place(of: object.key) else { return .failed(.unspellable) }
        guard !place.isForeign else { return .miss(.otherLayout) }
        do {
            let file = try OpenFile(
                place.path, flags: O_RDONLY, direct: self.configuration.usesDirectIO, calls: self.calls)
            let status = try self.calls.status(of: file.descriptor)
            let verdict = self.verdict(status, place, byteCount: byteCount)
            guard verdict.isSuccess else { return verdict }
            let stored = self.checksum(of: file)
            let (read, checksum) =
                stored == nil
                ? (try self.reader.read(file, into: object.buffer.bytes), nil)
                : try self.reader.readSummed(file, into: object.buffer.bytes)
            guard read == byteCount else { return .miss(.wrongLength(found: read)) }
            guard checksum == stored else { return self.dropCorrupted(place) }
            self.state.withLock { $0.index.note(place.name, byteCount: status.byteCount) }
            return .done(byteCount: byteCount)
        } catch {
            return self.missOrFailure(error, place)
        }
    }

    package func delete(_ key: ObjectKey) -> L2Result {
        guard let place = self.place(of: key) else { return .failed(.unspellable) }
        do {
            let status = try self.calls.status(at: place.path)
            guard status.kind == .regular else { return .miss(.notAnObject) }
            try self.calls.unlink(place.path)
            self.state.withLock { _ = $0.index.forget(place.name) }
            return .done(byteCount: status.byteCount)
        } catch {
            return self.missOrFailure(error, place)
        }
    }

    package func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        let start = query.cursor.flatMap { Int($0) } ?? 0
        let (keys, next) = self.state.withLock {
            $0.index.page(from: start, limit: query.limit, modelName: query.modelName)
        }
        return .success(L2Page(keys: keys, next: next.map(String.init)))
    }

    package func usage() -> L2Usage { self.state.withLock { $0.index.usageBySalt() } }

    package func leastRecent(limit: Int) -> [ObjectKey] {
        self.state.withLock { $0.index.leastRecent(limit: limit) }
    }

    package func shutDown() {}

    /// Serves a model's objects from now on only if the directory's manifest of that model is `manifest`.
    ///
    /// Without one, it is written. Blocks for file calls.
    package func bind(_ manifest: L2NamespaceManifest) throws(FileCallError) -> FileBinding {
        let binding = try FileManifest(
            calls: self.calls, reader: self.reader, writer: self.writer, directory: self.configuration.basePath
        ).bind(manifest, temporary: self.temporaryPath())
        self.state.withLock { state in
            if binding != .conflicts {
                state.boundModels.insert(manifest.modelName)
                state.foreignModels.remove(manifest.modelName)
            } else if !state.boundModels.contains(manifest.modelName) {
                // With two layouts of one model in this process, whoever asks for the wrong one must not ask.
                state.foreignModels.insert(manifest.modelName)
            }
        }
        return binding
    }

    // MARK: Parts

    private struct Place {
        let path: String
        let name: ObjectIndex.Name
        let isForeign: Bool
    }

    private func place(of key: ObjectKey) -> Place? {
        guard let file = FileKeyName.spelled(key) else { return nil }
        let (name, isForeign) = self.state.withLock { state in
            (state.index.name(key), state.foreignModels.contains(key.modelName))
        }
        return name.map { Place(path: self.configuration.basePath + "/" + file, name: $0, isForeign: isForeign) }
    }

    private func write(_ object: L2Object, to place: Place, replacing replaced: Int) -> L2Result {
        let byteCount = object.buffer.byteCount
        let stored = self.configuration.storedByteCount(byteCount)
        guard self.state.withLock({ $0.index.reserve(stored, replacing: replaced) }) else { return .failed(.full) }
        do {
            defer { self.state.withLock { $0.index.unreserve(stored) } }
            try self.writer.publish(
                UnsafeRawBufferPointer(object.buffer.bytes), storedByteCount: stored,
                sums: self.configuration.usesChecksums, temporary: self.temporaryPath(), as: place.path)
            self.state.withLock { $0.index.note(place.name, byteCount: stored) }
            try self.writer.synchronizeDirectory()
            return .done(byteCount: byteCount)
        } catch {
            return Self.failure(error)
        }
    }

    /// What the file says that its bytes sum up to; nil where it says nothing, or where nobody asks.
    private func checksum(of file: borrowing OpenFile) -> UInt32? {
        // A call that fails is no checksum either: then there is nothing to compare.
        self.configuration.usesChecksums ? (try? self.calls.checksum(of: file.descriptor)) ?? nil : nil
    }

    /// Removes a file whose bytes have changed: as long as it is there no store replaces it.
    private func dropCorrupted(_ place: Place) -> L2Result {
        // One that stays is missed again.
        if (try? self.calls.unlink(place.path)) != nil { self.state.withLock { _ = $0.index.forget(place.name) } }
        return .miss(.corrupted)
    }

    private func verdict(_ status: FileStatus, _ place: Place, byteCount: Int) -> L2Result {
        guard status.kind == .regular else { return .miss(.notAnObject) }
        guard self.configuration.accepts(found: status.byteCount, byteCount: byteCount) else {
            return .miss(.wrongLength(found: status.byteCount))
        }
        return .done(byteCount: byteCount)
    }

    private func missOrFailure(_ error: FileCallError, _ place: Place) -> L2Result {
        switch error.code {
        case ENOENT:
            // Another server removed it.
            self.state.withLock { _ = $0.index.forget(place.name) }
            return .miss(.absent)
        // A symbolic link, or a socket, is no object.
        case ELOOP, ENXIO: return .miss(.notAnObject)
        default: return Self.failure(error)
        }
    }

    private static func failure(_ error: FileCallError) -> L2Result {
        switch error.code {
        case ENOSPC, EDQUOT: .failed(.full)
        case ENAMETOOLONG: .failed(.unspellable)
        default: .failed(.system(call: error.call, code: error.code))
        }
    }

    private func temporaryPath() -> String {
        let directory = self.configuration.temporaryDirectory.map { "/" + $0 } ?? ""
        return "\(self.configuration.basePath)\(directory)/\(self.names.next())"
    }

    /// Makes a directory and those above it.
    private static func makeDirectories(_ path: String, _ calls: any FileCalls) throws(FileCallError) {
        var partial = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            partial += "/" + part
            do {
                try calls.makeDirectory(partial)
            } catch {
                // One that is there may also say that it cannot be made, on a read-only file system.
                guard [EEXIST, EISDIR, EROFS, EACCES].contains(error.code) else { throw error }
            }
        }
    }
}
