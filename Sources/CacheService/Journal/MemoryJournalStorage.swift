// lmcache · SPDX-License-Identifier: Apache-2.0

package import DurableFile
internal import Synchronization

/// Journal content in memory, for tests and for servers that keep none on disk.
package final class MemoryJournalStorage: JournalStorage {
    private let storedContent: Mutex<[UInt8]?>

    package init(_ content: [UInt8]?) {
        self.storedContent = Mutex(content)
    }

    /// What a file would hold now; nil for no file.
    package var content: [UInt8]? { self.storedContent.withLock { $0 } }

    package func read(limit: Int) throws(DurableFileError) -> [UInt8]? {
        let content = self.content
        if let content, content.count > limit {
            throw DurableFileError(path: "memory", reason: .tooLarge(byteCount: content.count, limit: limit))
        }
        return content
    }

    package func append(_ bytes: [UInt8]) {
        self.storedContent.withLock { $0 = ($0 ?? []) + bytes }
    }

    package func replace(with bytes: [UInt8]) {
        self.storedContent.withLock { $0 = bytes }
    }

    package func moveAside() {
        self.storedContent.withLock { $0 = nil }
    }

    package func remove() {
        self.storedContent.withLock { $0 = nil }
    }
}
