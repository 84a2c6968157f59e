// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// Takes any bytes for a journal file and checks what must hold for all of them.
///
/// Traps when it does not.
package func fuzzJournal(_ bytes: [UInt8]) {
    let content = JournalCodec.decode(bytes)
    if let content {
        precondition(content.intactByteCount + content.droppedByteCount == bytes.count, "journal: lost bytes")
        let encoded = JournalCodec.header + content.records.compactMap { JournalCodec.encode($0) }.joined()
        precondition(
            content.intactByteCount == 0 || encoded == Array(bytes.prefix(content.intactByteCount)),
            "journal: another encoding of the same records"
        )
    }
    let storage = MemoryJournalStorage(bytes)
    let journal = RegistrationJournal(storage: storage) { _ in }
    precondition(journal.statistics.isEnabled, "journal: off without a failed write")
    let added = JournaledRegistration(kind: .cache, instance: InstanceID(-1), frames: [[1, 2, 3]])
    journal.registered(added)
    let reopened = RegistrationJournal(storage: storage) { _ in preconditionFailure("journal: damaged by itself") }
    precondition(reopened.live == journal.live, "journal: not what was written")
    precondition(reopened.live.contains(added), "journal: lost a registration")
}
