// lmcache · SPDX-License-Identifier: Apache-2.0

internal import DurableFile
package import KVModel
internal import Synchronization

/// Remembers the live registrations in an append-only file, so that a restarted server can take them up again for the
/// engines that never register twice.
///
/// Never fatal: a file that cannot be read is set aside, and after a failed write the journal is off until the next
/// start; each says so once through `report`. Any thread; calls are in line behind one lock, which is held during file
/// calls because records must land in order. Source: wire protocol §9 row 4.
package final class RegistrationJournal: Sendable {
    /// Bounds on what clients can make the file hold.
    package struct Limits: Sendable {
        /// Most bytes of the file; a registration that does not fit is not journaled.
        package var fileByteCount: Int
        /// Dead bytes below which the file is not rewritten.
        package var compactionByteCount: Int

        package init(fileByteCount: Int = 64 << 20, compactionByteCount: Int = 256 << 10) {
            self.fileByteCount = fileByteCount
            self.compactionByteCount = compactionByteCount
        }
    }

    /// What the journal holds now.
    package struct Statistics: Sendable, Equatable {
        package var isEnabled: Bool
        package var liveCount: Int
        package var fileByteCount: Int
        /// Registrations that were not journaled because the file was full.
        package var refusedCount: Int
    }

    private struct State {
        var isEnabled: Bool
        var ledger = JournalLedger()
        var refusedCount = 0
    }

    private let storage: any JournalStorage
    private let limits: Limits
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    /// Reads what an earlier process left.
    ///
    /// Never fails: whatever is wrong is reported once.
    ///
    /// - Parameter report: Gets one line for each trouble, without a line end. Called with the journal's lock held, or
    ///   during init.
    package init(
        storage: any JournalStorage,
        limits: Limits = Limits(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.storage = storage
        self.limits = limits
        self.report = report
        self.state = Mutex(State(isEnabled: true))
        self.state.withLock { self.open(&$0) }
    }

    /// Registrations that have not ended, oldest first.
    ///
    /// Right after init: those that the earlier process left.
    package var live: [JournaledRegistration] { self.state.withLock { $0.ledger.live } }

    package var statistics: Statistics {
        self.state.withLock { state in
            Statistics(
                isEnabled: state.isEnabled,
                liveCount: state.ledger.liveCount,
                fileByteCount: state.ledger.fileByteCount,
                refusedCount: state.refusedCount
            )
        }
    }

    /// A registration took effect.
    ///
    /// Repeating a journaled one costs nothing.
    package func registered(_ registration: JournaledRegistration) {
        let key = JournalLedger.Key(kind: registration.kind, instance: registration.instance)
        self.state.withLock { state in
            guard state.isEnabled, state.ledger[key] != registration else { return }
            self.add(.registered(registration), to: &state)
        }
    }

    /// A registration ended, whoever ended it.
    ///
    /// Unknown ones cost nothing.
    package func unregistered(_ kind: JournaledRegistration.Kind, _ instance: InstanceID) {
        self.state.withLock { state in
            guard state.isEnabled, state.ledger[JournalLedger.Key(kind: kind, instance: instance)] != nil else {
                return
            }
            self.add(.unregistered(kind, instance), to: &state)
        }
    }
}

// MARK: - Closing

extension RegistrationJournal {
    /// Removes the file when no registration is live, so that nothing is left behind for nobody. Call it last.
    package func close() {
        self.state.withLock { state in
            guard state.isEnabled, state.ledger.liveCount == 0 else { return }
            state.isEnabled = false
            do throws(DurableFileError) { try self.storage.remove() } catch { self.report("\(error)") }
        }
    }
}

// MARK: - Reading

extension RegistrationJournal {
    private func open(_ state: inout State) {
        let bytes: [UInt8]
        do throws(DurableFileError) {
            guard let found = try self.storage.read(limit: self.limits.fileByteCount) else { return }
            bytes = found
        } catch {
            return self.setAside(because: String(describing: error), &state)
        }
        guard let content = JournalCodec.decode(bytes) else {
            return self.setAside(because: "it is no journal of this version", &state)
        }
        for record in content.records {
            state.ledger.apply(record, byteCount: JournalCodec.encode(record)?.count ?? 0)
        }
        state.ledger.fileIs(byteCount: bytes.count)
        if content.isTailDropped {
            // Rewritten before the next append, which would otherwise land behind bytes that stop every reader.
            self.compact(&state)
            guard state.isEnabled else { return }
            self.report(
                "registration journal: dropped \(content.droppedByteCount) damaged bytes at its end, "
                    + "kept \(state.ledger.liveCount) registrations"
            )
        } else {
            self.compactIfWorthwhile(&state)
        }
    }

    private func setAside(because reason: String, _ state: inout State) {
        do throws(DurableFileError) {
            try self.storage.moveAside()
            self.report("registration journal: cannot be used (\(reason)); set aside, starting with an empty one")
        } catch {
            state.isEnabled = false
            self.report(
                "registration journal: cannot be used (\(reason)) nor set aside (\(error)); journaling is off"
            )
        }
    }
}

// MARK: - Writing

extension RegistrationJournal {
    private func add(_ record: JournalRecord, to state: inout State) {
        guard var bytes = JournalCodec.encode(record) else { return self.refuse(record, &state) }
        let recordByteCount = bytes.count
        if state.ledger.fileByteCount + recordByteCount + JournalCodec.header.count > self.limits.fileByteCount {
            guard self.makeRoom(for: record, byteCount: recordByteCount, &state) else { return }
        }
        if state.ledger.fileByteCount == 0 { bytes = JournalCodec.header + bytes }
        do throws(DurableFileError) {
            try self.storage.append(bytes)
            state.ledger.apply(record, byteCount: recordByteCount)
            state.ledger.fileIs(byteCount: state.ledger.fileByteCount + bytes.count)
            self.compactIfWorthwhile(&state)
        } catch {
            self.disable(because: error, &state)
        }
    }

    /// Returns false when the record was dealt with: refused, or made unnecessary, or the journal is off.
    private func makeRoom(for record: JournalRecord, byteCount: Int, _ state: inout State) -> Bool {
        if case .unregistered = record {
            state.ledger.apply(record, byteCount: 0)
            self.compact(&state)
            return false
        }
        guard JournalCodec.header.count * 2 + state.ledger.liveByteCount + byteCount <= self.limits.fileByteCount else {
            self.refuse(record, &state)
            return false
        }
        self.compact(&state)
        return state.isEnabled
    }

    /// Leaves a registration out, and with it the one that it replaces: restored, that one would describe memory that
    /// the engine no longer uses.
    private func refuse(_ record: JournalRecord, _ state: inout State) {
        guard case .registered(let registration) = record else { return }
        state.refusedCount += 1
        if state.refusedCount == 1 {
            self.report(
                "registration journal: no room for instance \(registration.instance) "
                    + "(at most \(self.limits.fileByteCount) bytes); it will not survive a restart"
            )
        }
        let key = JournalLedger.Key(kind: registration.kind, instance: registration.instance)
        guard state.ledger[key] != nil else { return }
        state.ledger.apply(.unregistered(registration.kind, registration.instance), byteCount: 0)
        self.compact(&state)
    }

    private func compactIfWorthwhile(_ state: inout State) {
        let dead = state.ledger.fileByteCount - state.ledger.compactByteCount
        guard dead > self.limits.compactionByteCount, dead > state.ledger.liveByteCount else { return }
        self.compact(&state)
    }

    private func compact(_ state: inout State) {
        let records = state.ledger.live.compactMap { JournalCodec.encode(.registered($0)) }
        let bytes = records.isEmpty ? [] : JournalCodec.header + records.joined()
        do throws(DurableFileError) {
            try self.storage.replace(with: bytes)
            state.ledger.fileIs(byteCount: bytes.count)
        } catch {
            self.disable(because: error, &state)
        }
    }

    /// Stops journaling and deletes the file: what it says would no longer be true at the next start.
    private func disable(because cause: DurableFileError, _ state: inout State) {
        state.isEnabled = false
        do throws(DurableFileError) {
            try self.storage.remove()
            self.report("registration journal: \(cause); journaling is off until the next start")
        } catch {
            self.report(
                "registration journal: \(cause); journaling is off until the next start, and the stale file "
                    + "could not be deleted (\(error)): delete it"
            )
        }
    }
}
