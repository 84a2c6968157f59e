// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import KVModel
import Testing

/// Makes file call 1, 2, 3 … fail until a run meets no failure, once as a single fault and once for good.
@Suite struct JournalFaultTests {
    private static let start = journalFile(
        (0..<6).map { .registered(registration(1, version: $0)) } + [.registered(registration(2))]
    )
    private static let limits = RegistrationJournal.Limits(fileByteCount: 1000, compactionByteCount: 120)

    @Test(
        arguments: [false, true],
        [start, Array(start.dropLast(3)), Array("no journal".utf8), [], nil] as [[UInt8]?]
    )
    func everyFileCallMayFail(isSticky: Bool, content: [UInt8]?) {
        for failingCall in 1... {
            let storage = FaultyJournalStorage(content, failingCall: failingCall, isSticky: isSticky)
            let lines = ReportedLines()
            let journal = RegistrationJournal(storage: storage, limits: Self.limits) { lines.append($0) }
            let linesAtStart = lines.all.count
            let failuresAtStart = storage.failures
            let left = self.work(with: journal, startingWith: journal.live)
            let linesOfWork = lines.all.count - linesAtStart

            #expect(linesAtStart <= 1, "call \(failingCall): \(lines.all)")
            #expect(failuresAtStart == 0 || linesAtStart == 1, "call \(failingCall): \(lines.all)")
            let failedInWork = storage.failures > failuresAtStart
            #expect(linesOfWork == (failedInWork ? 1 : 0), "call \(failingCall): \(lines.all)")
            self.checkWhatIsLeft(of: journal, expected: left, in: storage, isSticky: isSticky)
            if storage.failures == 0 {
                #expect(failingCall > 6)
                return
            }
        }
    }

    /// Returns what should be live if every call went well.
    private func work(
        with journal: RegistrationJournal,
        startingWith live: [JournaledRegistration]
    ) -> [JournaledRegistration] {
        var live = live
        for number in 10..<14 as Range<Int64> {
            journal.registered(registration(number))
            live.append(registration(number))
        }
        journal.registered(registration(10, version: 1))
        live.removeAll { $0.instance == InstanceID(10) }
        live.append(registration(10, version: 1))
        for number in [1, 11, 12] as [Int64] {
            journal.unregistered(.cache, InstanceID(number))
            live.removeAll { $0.instance == InstanceID(number) }
        }
        journal.registered(registration(20, kind: .engineDriven))
        live.append(registration(20, kind: .engineDriven))
        return live
    }

    private func checkWhatIsLeft(
        of journal: RegistrationJournal,
        expected: [JournaledRegistration],
        in storage: FaultyJournalStorage,
        isSticky: Bool
    ) {
        let lines = ReportedLines()
        let reopened = RegistrationJournal(storage: MemoryJournalStorage(storage.content)) { lines.append($0) }
        if journal.statistics.isEnabled {
            #expect(journal.live == expected)
            #expect(reopened.live == expected)
            #expect(journal.statistics.fileByteCount == storage.content?.count ?? 0)
            #expect(lines.all.isEmpty)
        } else if !isSticky {
            // Deleted, or something foreign that could not be moved and is left as it was.
            #expect(storage.content == nil || storage.content.flatMap { JournalCodec.decode($0) } == nil)
        }
        #expect(reopened.statistics.isEnabled)
        #expect(lines.all.count <= 1)
    }
}
