// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import DurableFile
import Glibc
import KVModel
import Testing

/// The journal over real files.
@Suite final class JournalOnDiskTests {
    private let folder: String
    private let path: String
    private let lines = ReportedLines()

    init() throws {
        var template = Array("/tmp/lmcache-journal-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        self.folder = try #require(made)
        self.path = self.folder + "/journal"
    }

    deinit {
        for name in ["journal", "journal.tmp", "journal.unreadable", "target"] { unlink(self.folder + "/" + name) }
        rmdir(self.folder)
    }

    private func open(path: String? = nil) -> RegistrationJournal {
        RegistrationJournal(storage: DurableFile(path: path ?? self.path)) { [lines] in lines.append($0) }
    }

    @Test func registrationsSurviveARestart() {
        let journal = self.open()
        for number in 1...3 as ClosedRange<Int64> { journal.registered(registration(number)) }
        journal.unregistered(.cache, InstanceID(2))
        #expect(self.open().live == [1, 3].map { registration($0) })
        #expect(self.lines.all.isEmpty)
    }

    @Test func aTornEndIsRepaired() throws {
        self.open().registered(registration(1))
        try DurableFile(path: self.path).append([9, 9, 9])
        let journal = self.open()
        journal.registered(registration(2))
        #expect(self.lines.all.count == 1)
        #expect(self.open().live == [1, 2].map { registration($0) })
        #expect(self.lines.all.count == 1)
    }

    @Test func garbageIsKeptAsideAndSaidOnce() throws {
        try DurableFile(path: self.path).append(Array("garbage".utf8))
        let journal = self.open()
        #expect(self.lines.all.count == 1)
        #expect(try DurableFile(path: self.path + ".unreadable").read(limit: 100) == Array("garbage".utf8))
        journal.registered(registration(1))
        #expect(self.open().live == [registration(1)])
        #expect(self.lines.all.count == 1)
    }

    @Test func aSymbolicLinkIsSetAsideAndItsTargetLeftAlone() throws {
        let target = DurableFile(path: self.folder + "/target")
        let content = journalFile([.registered(registration(9))])
        try target.append(content)
        #expect(symlink(target.path, self.path) == 0)
        let journal = self.open()
        #expect(journal.live.isEmpty && journal.statistics.isEnabled)
        #expect(self.lines.all.count == 1)
        journal.registered(registration(1))
        #expect(try target.read(limit: 1000) == content)
        #expect(self.open().live == [registration(1)])
    }

    @Test func aMissingFolderTurnsItOffAtTheFirstRegistration() {
        let journal = self.open(path: self.folder + "/missing/journal")
        #expect(self.lines.all.isEmpty)
        for number in 1...3 as ClosedRange<Int64> { journal.registered(registration(number)) }
        #expect(self.lines.all.count == 1)
        #expect(!journal.statistics.isEnabled && journal.live.isEmpty)
    }
}
