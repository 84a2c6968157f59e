// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import KVModel
import Testing

@Suite struct RegistrationJournalTests {
    private let lines = ReportedLines()

    private func open(
        _ storage: any JournalStorage,
        limits: RegistrationJournal.Limits = .init()
    ) -> RegistrationJournal {
        RegistrationJournal(storage: storage, limits: limits) { [lines] in lines.append($0) }
    }

    @Test func nothingIsWrittenBeforeTheFirstRegistration() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage)
        journal.unregistered(.cache, InstanceID(1))
        #expect(storage.content == nil)
        #expect(journal.live.isEmpty)
        #expect(self.lines.all.isEmpty)
    }

    @Test func aRestartFindsTheLiveRegistrationsOldestFirst() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage)
        for number in [5, 3, 9, 4] as [Int64] { journal.registered(registration(number)) }
        journal.registered(registration(3, kind: .engineDriven))
        journal.unregistered(.cache, InstanceID(9))
        journal.unregistered(.cache, InstanceID(77))
        let expected = [5, 3, 4].map { registration($0) } + [registration(3, kind: .engineDriven)]
        #expect(journal.live == expected)
        #expect(self.open(storage).live == expected)
        #expect(self.lines.all.isEmpty)
    }

    @Test func aRepeatedRegistrationCostsNothingAndAChangedOneReplaces() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage)
        journal.registered(registration(1))
        journal.registered(registration(2))
        let size = journal.statistics.fileByteCount
        journal.registered(registration(1))
        #expect(journal.statistics.fileByteCount == size)
        journal.registered(registration(1, version: 8))
        #expect(journal.statistics.fileByteCount > size)
        #expect(self.open(storage).live == [registration(2), registration(1, version: 8)])
    }

    @Test func duplicateRecordsInTheFileCountOnce() {
        let one = JournalRecord.registered(registration(1))
        let journal = self.open(
            MemoryJournalStorage(journalFile([one, one, .unregistered(.cache, InstanceID(4)), one]))
        )
        #expect(journal.live == [registration(1)])
        #expect(self.lines.all.isEmpty)
    }

    @Test func truncatedAnywhereItGoesOnWithWhatIsWhole() {
        let file = journalFile((1...3).map { .registered(registration($0)) })
        for length in 0..<file.count {
            let storage = MemoryJournalStorage(Array(file.prefix(length)))
            let lines = ReportedLines()
            let journal = RegistrationJournal(storage: storage) { lines.append($0) }
            let found = journal.live
            #expect([1, 2, 3].map { registration($0) }.starts(with: found))
            #expect(lines.all.count <= 1)
            journal.registered(registration(50))
            let again = RegistrationJournal(storage: storage) { lines.append("again: " + $0) }
            #expect(again.live == found + [registration(50)], "length \(length)")
            #expect(lines.all.count <= 1)
        }
    }

    @Test func damageIsReportedOnceAndRepaired() {
        var file = journalFile((1...3).map { .registered(registration($0)) })
        file[file.count - 1] ^= 1
        let storage = MemoryJournalStorage(file)
        #expect(self.open(storage).live == [1, 2].map { registration($0) })
        #expect(self.lines.all.count == 1)
        #expect(self.lines.all.first?.contains("dropped 53 damaged bytes") == true, "\(self.lines.all)")
        #expect(self.open(storage).live == [1, 2].map { registration($0) })
        #expect(self.lines.all.count == 1)
    }

    @Test(arguments: [Array("something else, and long".utf8), Array("lmcjrnl".utf8) + [2, 1, 1]])
    func whatIsNoJournalIsSetAside(bytes: [UInt8]) {
        let storage = MemoryJournalStorage(bytes)
        let journal = self.open(storage)
        #expect(storage.content == nil)
        #expect(journal.live.isEmpty && journal.statistics.isEnabled)
        #expect(self.lines.all.count == 1)
        journal.registered(registration(1))
        #expect(self.open(storage).live == [registration(1)])
        #expect(self.lines.all.count == 1)
    }

    @Test func aFileBeyondTheLimitIsSetAside() {
        let storage = MemoryJournalStorage(journalFile([.registered(registration(1, byteCount: 500))]))
        let journal = self.open(storage, limits: .init(fileByteCount: 400))
        #expect(journal.live.isEmpty && journal.statistics.isEnabled)
        #expect(self.lines.all.count == 1)
        #expect(self.lines.all.first?.contains("accepted are at most 400") == true)
    }

    @Test func theFileIsRewrittenWhenDeadRecordsDominate() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage, limits: .init(compactionByteCount: 1000))
        journal.registered(registration(1))
        for number in 2...500 as ClosedRange<Int64> {
            journal.registered(registration(number, byteCount: 100))
            journal.unregistered(.cache, InstanceID(number))
            #expect(journal.statistics.fileByteCount <= 1300)
            #expect(journal.statistics.fileByteCount == storage.content?.count)
        }
        #expect(self.open(storage).live == [registration(1)])
        #expect(self.lines.all.isEmpty)
    }

    @Test func aDeadHeavyFileIsRewrittenAtStart() {
        let records = (0..<50).map { JournalRecord.registered(registration(1, version: $0)) }
        let storage = MemoryJournalStorage(journalFile(records))
        let journal = self.open(storage, limits: .init(compactionByteCount: 100))
        #expect(storage.content == journalFile([.registered(registration(1, version: 49))]))
        #expect(journal.statistics.fileByteCount == storage.content?.count)
    }

    @Test func whatDoesNotFitIsRefusedOnceAloudAndTheRestStays() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage, limits: .init(fileByteCount: 300))
        journal.registered(registration(1))
        journal.registered(registration(2))
        journal.registered(registration(3, byteCount: 400))
        journal.registered(registration(4, byteCount: 400))
        #expect(journal.statistics.refusedCount == 2)
        #expect(self.lines.all.count == 1)
        #expect(self.open(storage).live == [1, 2].map { registration($0) })
        // The old description of a refused re-registration must not come back.
        journal.registered(registration(1, byteCount: 400))
        #expect(self.open(storage).live == [registration(2)])
        #expect(journal.live == [registration(2)])
    }

    @Test func aFullFileMakesRoomOnceItIsRewritten() {
        let storage = MemoryJournalStorage(nil)
        let journal = self.open(storage, limits: .init(fileByteCount: 300))
        for version in 0..<100 as Range<UInt8> {
            journal.registered(registration(1, version: version))
            journal.registered(registration(2, version: version))
            journal.unregistered(.cache, InstanceID(2))
            #expect(journal.statistics.fileByteCount <= 300)
            #expect(self.open(storage, limits: .init(fileByteCount: 300)).live == [registration(1, version: version)])
        }
        #expect(journal.statistics.refusedCount == 0)
        #expect(self.lines.all.isEmpty)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func agreesWithADictionaryOverRestarts(seed: UInt64) {
        var random = JournalTestRandom(seed: seed)
        let limits = RegistrationJournal.Limits(
            compactionByteCount: Int.random(in: 0...2000, using: &random)
        )
        let storage = MemoryJournalStorage(nil)
        var journal = self.open(storage, limits: limits)
        var model: [JournaledRegistration] = []
        for _ in 0..<200 {
            let instance = Int64.random(in: 0..<5, using: &random)
            let kind = JournaledRegistration.Kind.allCases.randomElement(using: &random) ?? .cache
            switch Int.random(in: 0..<5, using: &random) {
            case 0: journal = self.open(storage, limits: limits)
            case 1:
                journal.unregistered(kind, InstanceID(instance))
                model.removeAll { $0.kind == kind && $0.instance.rawValue == instance }
            default:
                let added = registration(instance, kind: kind, version: UInt8.random(in: 0...2, using: &random))
                journal.registered(added)
                guard !model.contains(added) else { continue }
                model.removeAll { $0.kind == kind && $0.instance.rawValue == instance }
                model.append(added)
            }
            #expect(journal.live == model)
        }
        #expect(self.open(storage, limits: limits).live == model)
        #expect(self.lines.all.isEmpty)
    }
}
