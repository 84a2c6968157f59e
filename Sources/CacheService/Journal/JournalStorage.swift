// lmcache · SPDX-License-Identifier: Apache-2.0

package import DurableFile

/// The file calls of the journal, so that tests can keep it in memory and make each call fail.
package protocol JournalStorage: Sendable {
    /// The whole content, or nil when there is none yet. Throws when it exceeds `limit` bytes.
    func read(limit: Int) throws(DurableFileError) -> [UInt8]?
    /// Adds bytes at the end; a failed call may have added a part.
    func append(_ bytes: [UInt8]) throws(DurableFileError)
    /// Sets the whole content at once or leaves the old.
    func replace(with bytes: [UInt8]) throws(DurableFileError)
    /// Keeps the content under another name, so that an empty journal can start.
    func moveAside() throws(DurableFileError)
    /// Deletes the content.
    func remove() throws(DurableFileError)
}

extension DurableFile: JournalStorage {
    /// Not synchronized: a registration outlives this process, but never the machine's next start.
    package func replace(with bytes: [UInt8]) throws(DurableFileError) {
        try self.replace(with: bytes, synchronize: false)
    }

    /// Appends `.unreadable` to the name.
    package func moveAside() throws(DurableFileError) {
        try self.moveAside(suffix: ".unreadable")
    }
}
