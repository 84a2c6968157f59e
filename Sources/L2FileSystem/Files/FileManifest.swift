// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import L2Storage

/// What binding a model to a directory came to.
package enum FileBinding: Sendable, Equatable {
    /// There was no manifest; it is written now.
    case written
    case matches
    /// The directory holds this model's objects in another layout: none is served or stored.
    case conflicts
    /// The model's name has no file name.
    case unspellable
}

/// The manifest files beside the objects. The original ignores them: they do not end in `.data`.
struct FileManifest {
    let calls: any FileCalls
    let reader: ObjectFileReader
    let writer: ObjectFileWriter
    let directory: String

    private static let byteLimit = 1 << 16

    func bind(_ manifest: L2NamespaceManifest, temporary: String) throws(FileCallError) -> FileBinding {
        guard let name = FileKeyName.manifest(modelName: manifest.modelName) else { return .unspellable }
        let path = self.directory + "/" + name
        let wanted = manifest.bytes
        if let present = try self.content(path) { return present == wanted ? .matches : .conflicts }
        let buffer = L2Buffer(copying: wanted)
        try self.writer.publish(
            UnsafeRawBufferPointer(buffer.bytes), storedByteCount: wanted.count, temporary: temporary, as: path)
        // Of two servers that write at once the later one wins; the other one finds out here.
        return try self.content(path) == wanted ? .written : .conflicts
    }

    private func content(_ path: String) throws(FileCallError) -> [UInt8]? {
        do {
            let file = try OpenFile(path, flags: O_RDONLY, direct: false, calls: self.calls)
            let status = try self.calls.status(of: file.descriptor)
            guard status.kind == .regular, 1...Self.byteLimit ~= status.byteCount else { return [] }
            let buffer = L2Buffer(byteCount: status.byteCount)
            let read = try self.reader.read(file, into: buffer.bytes)
            return Array(buffer.content.prefix(read))
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }
}
