// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import KVModel
import Testing

private func hash(_ number: UInt64) -> ChunkHash { ChunkHash(words: (number, 1, 2, 3)) }

@Suite struct KVEventLogTests {
    private func log(capacity: Int = 8, bindingCapacity: Int = 100) -> KVEventLog {
        var log = KVEventLog(capacity: capacity, incarnation: 99, bindingCapacity: bindingCapacity)
        log.bindTokens((0..<50).map(hash), parent: nil, tokens: ArraySlice((0..<100).map(UInt32.init)), chunkSize: 2)
        return log
    }

    @Test func announcesOneRecordForEachChunkWithItsTokensAndParent() {
        var log = self.log()
        log.stored([hash(0), hash(1), hash(0)], model: "m")
        let batch = log.batch(after: 0, model: "m", limit: 1024)
        #expect(
            batch
                == KVEvents(
                    isEnabled: true,
                    incarnation: 99,
                    nextCursor: 2,
                    isLost: false,
                    records: [
                        KVEventRecord(
                            sequence: 1,
                            kind: .stored,
                            modelName: "m",
                            hashes: [hash(0)],
                            parent: nil,
                            tokens: [0, 1]
                        ),
                        KVEventRecord(
                            sequence: 2,
                            kind: .stored,
                            modelName: "m",
                            hashes: [hash(1)],
                            parent: hash(0),
                            tokens: [2, 3]
                        ),
                    ]
                )
        )
    }

    @Test func announcesOneRemovalWithEveryDistinctHash() {
        var log = self.log()
        log.removed([hash(4), hash(5), hash(4)], model: "m")
        log.removed([ChunkHash](), model: "m")
        let batch = log.batch(after: 0, model: "m", limit: 1024)
        #expect(batch.records.map(\.hashes) == [[hash(4), hash(5)]])
        #expect(batch.records.map(\.kind) == [.removed])
        #expect(batch.records.allSatisfy { $0.tokens.isEmpty && $0.parent == nil })
        #expect(log.nextSequence == 2)
    }

    @Test func countsChunksWhoseTokensAreUnknown() {
        var log = self.log()
        log.stored([hash(0), hash(500)], model: "m")
        #expect(log.unboundStores == 1)
        #expect(log.depth == 1)
    }

    @Test func bindsOnlyChunksWhoseTokensAreThere() {
        var log = KVEventLog(capacity: 8, incarnation: 1)
        log.bindTokens([hash(0), hash(1)], parent: nil, tokens: [1, 2, 3], chunkSize: 2)
        #expect(log.bindingCount == 1)
        log.bindTokens([hash(2)], parent: nil, tokens: [1, 2], chunkSize: 0)
        log.bindTokens([hash(2)], parent: nil, tokens: [1, 2], chunkSize: -4)
        log.bindTokens([hash(2), hash(3)], parent: nil, tokens: [1, 2], chunkSize: .max)
        #expect(log.bindingCount == 1)
    }

    @Test func givesOtherModelsNothingButMovesTheirCursor() {
        var log = self.log()
        log.stored([hash(0)], model: "m")
        let batch = log.batch(after: 0, model: "other", limit: 1)
        #expect(batch.records.isEmpty && !batch.isLost && batch.nextCursor == 1)
        #expect(!batch.saysSomething)
    }

    @Test(
        arguments: [
            // cursor, expected next cursor, lost, sequences; the log holds 13...20
            (0, 16, true, [13, 14, 15, 16]), (11, 16, true, [13, 14, 15, 16]), (12, 16, false, [13, 14, 15, 16]),
            (13, 17, false, [14, 15, 16, 17]), (18, 20, false, [19, 20]), (20, 20, false, []), (21, 20, true, []),
            (Int64.max, 20, true, []), (Int64.min, 16, true, [13, 14, 15, 16]),
        ] as [(Int64, Int64, Bool, [Int64])]
    )
    func servesCursors(cursor: Int64, next: Int64, isLost: Bool, sequences: [Int64]) {
        var log = self.log()
        log.stored((0..<20).map(hash), model: "m")
        let batch = log.batch(after: cursor, model: "m", limit: 4)
        #expect(batch.nextCursor == next)
        #expect(batch.isLost == isLost)
        #expect(batch.records.map(\.sequence) == sequences)
    }

    @Test func dropsWhatCameBeforeAGap() {
        var log = self.log()
        log.stored([hash(0)], model: "m")
        log.markLost()
        log.stored([hash(1)], model: "m")
        #expect(log.lostMarkers == 1)
        let batch = log.batch(after: 0, model: "m", limit: 10)
        #expect(batch.isLost && batch.records.map(\.sequence) == [3] && batch.nextCursor == 3)
        #expect(!log.batch(after: 2, model: "m", limit: 10).isLost)
        let other = log.batch(after: 0, model: "other", limit: 10)
        #expect(other.isLost && other.records.isEmpty && other.saysSomething)
    }

    @Test func aLogWithoutCapacityIsOff() {
        var log = self.log(capacity: 0)
        log.stored([hash(0)], model: "m")
        log.removed([hash(0)], model: "m")
        log.markLost()
        #expect(!log.isEnabled && log.depth == 0 && log.nextSequence == 1 && log.bindingCount == 0)
        #expect(log.batch(after: 5, model: "m", limit: 4) == .disabled(incarnation: 99))
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func agreesWithANaiveModel(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let capacity = Int.random(in: 1...12, using: &random)
        let bindingCapacity = Int.random(in: 0...10, using: &random)
        var log = KVEventLog(capacity: capacity, incarnation: 7, bindingCapacity: bindingCapacity)
        var model = NaiveLog(capacity: capacity, bindingCapacity: bindingCapacity)
        for _ in 0..<600 {
            let name = ["a", "b"].randomElement(using: &random) ?? "a"
            let hashes = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                hash(UInt64.random(in: 0..<16, using: &random))
            }
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2:
                let parent = Bool.random(using: &random) ? hash(77) : nil
                let tokens = (0..<Int.random(in: 0...13, using: &random)).map { _ in
                    UInt32.random(in: 0...9, using: &random)
                }
                log.bindTokens(hashes, parent: parent, tokens: tokens[...], chunkSize: 3)
                model.bind(hashes, parent: parent, tokens: tokens, chunkSize: 3)
            case 3...5:
                log.stored(hashes, model: name)
                model.stored(hashes, name)
            case 6...7:
                log.removed(hashes, model: name)
                model.removed(hashes, name)
            case 8:
                log.markLost()
                model.all.append(nil)
            default:
                break
            }
            let cursor = Int64.random(in: 0...Int64(model.all.count + 2), using: &random)
            let limit = Int.random(in: 1...5, using: &random)
            #expect(
                log.batch(after: cursor, model: name, limit: limit)
                    == model.batch(after: cursor, model: name, limit: limit)
            )
            #expect(log.depth == min(capacity, model.all.count))
            #expect(log.nextSequence == Int64(model.all.count) + 1)
            #expect(log.unboundStores == model.unbound)
            #expect(log.bindingCount == model.bindings.count)
        }
    }
}

/// The same rules with everything kept and searched.
///
/// A gap is nil.
private struct NaiveLog {
    let capacity: Int
    let bindingCapacity: Int
    var all: [KVEventRecord?] = []
    var bindings: [(hash: ChunkHash, parent: ChunkHash?, tokens: [UInt32])] = []
    var unbound = 0

    init(capacity: Int, bindingCapacity: Int) {
        self.capacity = capacity
        self.bindingCapacity = bindingCapacity
    }

    mutating func bind(_ hashes: [ChunkHash], parent: ChunkHash?, tokens: [UInt32], chunkSize: Int) {
        for (index, hash) in hashes.enumerated() where (index + 1) * chunkSize <= tokens.count {
            self.bindings.removeAll { $0.hash == hash }
            let chunk = Array(tokens[index * chunkSize..<(index + 1) * chunkSize])
            self.bindings.append((hash, index == 0 ? parent : hashes[index - 1], chunk))
            self.bindings.removeFirst(max(0, self.bindings.count - self.bindingCapacity))
        }
    }

    mutating func stored(_ hashes: [ChunkHash], _ model: String) {
        for (index, hash) in hashes.enumerated() where !hashes[..<index].contains(hash) {
            guard let binding = self.bindings.first(where: { $0.hash == hash }) else {
                self.unbound += 1
                continue
            }
            self.all.append(
                KVEventRecord(
                    sequence: Int64(self.all.count) + 1,
                    kind: .stored,
                    modelName: model,
                    hashes: [hash],
                    parent: binding.parent,
                    tokens: binding.tokens[...]
                )
            )
        }
    }

    mutating func removed(_ hashes: [ChunkHash], _ model: String) {
        guard !hashes.isEmpty else { return }
        let distinct = hashes.indices.filter { !hashes[..<$0].contains(hashes[$0]) }.map { hashes[$0] }
        self.all.append(
            KVEventRecord(
                sequence: Int64(self.all.count) + 1,
                kind: .removed,
                modelName: model,
                hashes: distinct,
                parent: nil,
                tokens: []
            )
        )
    }

    func batch(after cursor: Int64, model: String, limit: Int) -> KVEvents {
        let last = Int64(self.all.count)
        let first = max(1, last - Int64(self.capacity) + 1)
        var result = KVEvents(
            isEnabled: true,
            incarnation: 7,
            nextCursor: min(cursor, last),
            isLost: cursor + 1 < first || cursor > last,
            records: []
        )
        for sequence in 1...max(1, last) where sequence > cursor && sequence >= first && sequence <= last {
            guard result.records.count < limit else { break }
            result.nextCursor = sequence
            guard let record = self.all[Int(sequence) - 1] else {
                result.isLost = true
                result.records = []
                continue
            }
            if record.modelName == model { result.records.append(record) }
        }
        return result
    }
}

/// SplitMix64.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
