// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// A bounded, sequenced log of chunks that became resident or were removed, for subscribers and their reconnects.
///
/// A value without a lock; its owner serialises calls. Source: wire protocol §2.11, server surface §3.5.
package struct KVEventLog: Sendable {
    /// Chunks whose tokens are remembered until they become resident.
    package static let bindingCapacity = 65_536
    /// Limits of one batch.
    package static let batchLimits = 1...1024

    private enum Entry {
        case stored(ChunkHash, parent: ChunkHash?, tokens: ArraySlice<UInt32>, modelName: String)
        case removed([ChunkHash], modelName: String)
        case lost
    }

    /// Entries kept; 0 disables the log.
    package let capacity: Int
    /// Wall clock in nanoseconds at server start.
    package let incarnation: Int64
    /// Sequence number of the next entry; the first is 1.
    package private(set) var nextSequence: Int64 = 1
    /// Gaps reported by ``markLost()``.
    package private(set) var lostMarkers = 0
    /// Chunks that became resident without known tokens, and so were not announced.
    package private(set) var unboundStores = 0
    /// Entry `s` lies at `(s - 1) % capacity`.
    private var entries: [Entry] = []
    private var bindings: TokenBindings

    /// - Precondition: `capacity` and `bindingCapacity` are not negative.
    package init(capacity: Int, incarnation: Int64, bindingCapacity: Int = Self.bindingCapacity) {
        precondition(capacity >= 0, "event log: negative capacity")
        self.capacity = capacity
        self.incarnation = incarnation
        self.bindings = TokenBindings(capacity: bindingCapacity)
    }

    package var isEnabled: Bool { self.capacity > 0 }
    /// Entries kept now, gaps included.
    package var depth: Int { self.entries.count }
    /// Chunks with remembered tokens.
    package var bindingCount: Int { self.bindings.count }

    /// Remembers the tokens of the chunks of one store call.
    ///
    /// Only worker 0 tells them: the others store the same prompt.
    ///
    /// - Parameters:
    ///   - hashes: Consecutive chunk hashes.
    ///   - parent: Hash of the chunk before the first one; nil at the prompt's start.
    ///   - tokens: The chunks' tokens, in order. Chunks whose tokens are missing from its end are not bound.
    package mutating func bindTokens(
        _ hashes: some Collection<ChunkHash>,
        parent: ChunkHash?,
        tokens: ArraySlice<UInt32>,
        chunkSize: Int
    ) {
        guard self.isEnabled, chunkSize > 0 else { return }
        var parent = parent
        // An array of just this range: the log must not keep whole prompts alive.
        var rest = ArraySlice(Array(tokens.prefix(chunkSize.multipliedOrMaximum(by: hashes.count))))
        for hash in hashes {
            guard rest.count >= chunkSize else { return }
            self.bindings.bind(hash, parent: parent, tokens: rest.prefix(chunkSize))
            rest = rest.dropFirst(chunkSize)
            parent = hash
        }
    }

    /// Objects of these chunks became resident: one record for each distinct hash with known tokens.
    package mutating func stored(_ hashes: some Collection<ChunkHash>, model: String) {
        guard self.isEnabled else { return }
        for hash in hashes.distinct() {
            guard let binding = self.bindings[hash] else {
                self.unboundStores += 1
                continue
            }
            self.append(.stored(hash, parent: binding.parent, tokens: binding.tokens, modelName: model))
        }
    }

    /// Objects of these chunks left the cache: one record with each distinct hash, none for no hash.
    package mutating func removed(_ hashes: some Collection<ChunkHash>, model: String) {
        guard self.isEnabled, !hashes.isEmpty else { return }
        self.append(.removed(hashes.distinct(), modelName: model))
    }

    /// Something happened that the log missed: readers who cross this point are told to start over.
    package mutating func markLost() {
        guard self.isEnabled else { return }
        self.lostMarkers += 1
        self.append(.lost)
    }

    /// What a reader that has seen everything up to `cursor` needs to hear next.
    ///
    /// Any cursor is valid; one that is older than the log, or from the future, reports a loss.
    ///
    /// - Parameter limit: Most records returned; at least 1 is assumed.
    package func batch(after cursor: Int64, model: String, limit: Int) -> KVEvents {
        guard self.isEnabled else { return .disabled(incarnation: self.incarnation) }
        let last = self.nextSequence - 1
        let beforeFirst = last - Int64(self.entries.count)
        var events = KVEvents(
            isEnabled: true,
            incarnation: self.incarnation,
            nextCursor: min(cursor, last),
            isLost: cursor < beforeFirst || cursor > last,
            records: []
        )
        var sequence = max(beforeFirst, min(cursor, last))
        while sequence < last, events.records.count < max(1, limit) {
            sequence += 1
            self.read(sequence, model: model, into: &events)
        }
        // Never negative, so that every cursor handed out is one that a subscription accepts.
        events.nextCursor = max(0, sequence)
        return events
    }

    private func read(_ sequence: Int64, model: String, into events: inout KVEvents) {
        switch self.entries[self.position(of: sequence)] {
        case .stored(let hash, let parent, let tokens, let modelName):
            guard modelName == model else { return }
            events.records.append(
                KVEventRecord(
                    sequence: sequence,
                    kind: .stored,
                    modelName: model,
                    hashes: [hash],
                    parent: parent,
                    tokens: tokens
                )
            )
        case .removed(let hashes, let modelName):
            guard modelName == model else { return }
            events.records.append(
                KVEventRecord(
                    sequence: sequence,
                    kind: .removed,
                    modelName: model,
                    hashes: hashes,
                    parent: nil,
                    tokens: []
                )
            )
        case .lost:
            events.isLost = true
            events.records.removeAll()
        }
    }

    private mutating func append(_ entry: Entry) {
        if self.entries.count < self.capacity {
            self.entries.append(entry)
        } else {
            self.entries[self.position(of: self.nextSequence)] = entry
        }
        self.nextSequence += 1
    }

    private func position(of sequence: Int64) -> Int { Int((sequence - 1) % Int64(self.capacity)) }
}

extension Collection where Element: Hashable {
    /// The elements without repetitions, in order of first appearance.
    fileprivate func distinct() -> [Element] {
        if self.count == 1 { return Array(self) }
        var seen: Set<Element> = []
        return self.filter { seen.insert($0).inserted }
    }
}

extension Int {
    fileprivate func multipliedOrMaximum(by other: Int) -> Int {
        let (product, overflow) = self.multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
