// lmcache · SPDX-License-Identifier: Apache-2.0

/// A file call that failed.
package struct FileCallError: Error, Equatable, CustomStringConvertible {
    package let call: StaticString
    /// The errno.
    package let code: Int32

    package init(call: StaticString, code: Int32) {
        self.call = call
        self.code = code
    }

    package var description: String { "\(self.call): errno \(self.code)" }

    package static func == (left: FileCallError, right: FileCallError) -> Bool {
        left.code == right.code && left.call.description == right.call.description
    }
}

/// What `stat` says about a file.
package struct FileStatus: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case regular, directory, other
    }

    package let kind: Kind
    package let byteCount: Int
    /// Last change of the content, in nanoseconds since 1970.
    package let changed: Int

    package init(kind: Kind, byteCount: Int, changed: Int) {
        self.kind = kind
        self.byteCount = byteCount
        self.changed = changed
    }
}

/// The system calls on files, as a seam: tests let the n-th one fail. Any thread.
///
/// Calls that a signal interrupts are repeated inside.
package protocol FileCalls: Sendable {
    /// Opens without following a last symbolic link, without waiting and closed on exec.
    func open(_ path: String, flags: Int32) throws(FileCallError) -> Int32
    /// Closes; the descriptor is gone also when this throws.
    func close(_ descriptor: Int32) throws(FileCallError)
    func status(of descriptor: Int32) throws(FileCallError) -> FileStatus
    /// Status of a path, of a symbolic link itself.
    func status(at path: String) throws(FileCallError) -> FileStatus
    /// Status of a name in an open directory, of a symbolic link itself. A zero byte ends the name.
    func status(ofName name: UnsafePointer<CChar>, in directory: Int32) throws(FileCallError) -> FileStatus
    /// Reads at an offset; may read less than asked for, 0 at the end.
    func read(_ descriptor: Int32, into area: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileCallError)
        -> Int
    /// Writes at an offset; may write less than asked for.
    func write(_ descriptor: Int32, from area: UnsafeRawBufferPointer, at offset: Int) throws(FileCallError) -> Int
    func truncate(_ descriptor: Int32, to byteCount: Int) throws(FileCallError)
    /// Waits until the content is on the device.
    func synchronize(_ descriptor: Int32) throws(FileCallError)
    /// Notes the content's CRC-32C beside it, in an extended attribute.
    func setChecksum(_ descriptor: Int32, _ checksum: UInt32) throws(FileCallError)
    /// What ``setChecksum(_:_:)`` noted; nil where nobody has, or where the file system has no attributes.
    func checksum(of descriptor: Int32) throws(FileCallError) -> UInt32?
    func rename(_ source: String, to destination: String) throws(FileCallError)
    func unlink(_ path: String) throws(FileCallError)
    func makeDirectory(_ path: String) throws(FileCallError)
    /// Calls `body` with each name in a directory, `.` and `..` included; its buffer is valid during the call.
    func forEachName(in path: String, _ body: (UnsafeRawBufferPointer) -> Void) throws(FileCallError)
    /// The time, in nanoseconds since 1970.
    func now() -> Int
    /// A number that no other process draws.
    func draw() -> UInt64
}
