// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// The registrations that a journal file amounts to, and how much of the file they still need.
struct JournalLedger: Sendable {
    /// What a registration is filed under: one instance may have one of each kind.
    struct Key: Hashable, Sendable {
        let kind: JournaledRegistration.Kind
        let instance: InstanceID
    }

    private struct Entry {
        let order: UInt64
        let registration: JournaledRegistration
        let byteCount: Int
    }

    /// Length of the file.
    private(set) var fileByteCount = 0
    /// Bytes of the records that the live registrations need.
    private(set) var liveByteCount = 0
    private var entries: [Key: Entry] = [:]
    private var nextOrder: UInt64 = 0

    /// Registrations that have not ended, oldest first.
    var live: [JournaledRegistration] {
        self.entries.values.sorted { $0.order < $1.order }.map(\.registration)
    }

    var liveCount: Int { self.entries.count }

    subscript(key: Key) -> JournaledRegistration? { self.entries[key]?.registration }

    /// Length of a file with nothing but the live registrations.
    var compactByteCount: Int {
        self.entries.isEmpty ? 0 : JournalCodec.header.count + self.liveByteCount
    }

    /// Takes in one record that occupies `byteCount` bytes of the file.
    mutating func apply(_ record: JournalRecord, byteCount: Int) {
        switch record {
        case .registered(let registration):
            let key = Key(kind: registration.kind, instance: registration.instance)
            self.forget(key)
            self.entries[key] = Entry(order: self.nextOrder, registration: registration, byteCount: byteCount)
            self.liveByteCount += byteCount
            self.nextOrder += 1
        case .unregistered(let kind, let instance):
            self.forget(Key(kind: kind, instance: instance))
        }
    }

    /// The file now has this length.
    mutating func fileIs(byteCount: Int) {
        self.fileByteCount = byteCount
    }

    private mutating func forget(_ key: Key) {
        guard let entry = self.entries.removeValue(forKey: key) else { return }
        self.liveByteCount -= entry.byteCount
    }
}
