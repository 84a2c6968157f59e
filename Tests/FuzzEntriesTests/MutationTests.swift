// lmcache · SPDX-License-Identifier: Apache-2.0

import Foundation
import FuzzEntries
import Testing

/// Runs the fuzz entries on deterministic mutations of their corpus; libFuzzer goes further with scripts/fuzz.
@Suite struct MutationTests {
    @Test func messagePackSurvivesMutations() throws {
        try Self.run(corpus: "MessagePack", seed: 0x6d73_6770, iterations: 6000, entry: fuzzMessagePack)
    }

    @Test func operationsSurviveMutations() throws {
        try Self.run(corpus: "Operations", seed: 0x6f70_6572, iterations: 8000, entry: fuzzOperations)
    }

    @Test func journalsSurviveMutations() throws {
        try Self.run(corpus: "Journal", seed: 0x6a6f_7572, iterations: 6000, entry: fuzzJournalFile)
    }

    @Test func configurationsSurviveMutations() throws {
        try Self.run(corpus: "Configuration", seed: 0x6366_6773, iterations: 6000, entry: fuzzConfiguration)
    }

    private static func run(corpus: String, seed: UInt64, iterations: Int, entry: ([UInt8]) -> Void) throws {
        let seeds = try Self.seeds(corpus)
        try #require(seeds.count >= 10)
        for seed in seeds { entry(seed) }
        var mutator = Mutator(seed: seed, corpus: seeds)
        for _ in 0..<iterations { entry(mutator.next()) }
        entry([])
    }

    private static func seeds(_ corpus: String) throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzz/Corpus/\(corpus)").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
    }
}

/// Makes inputs from a corpus by small damages; the same seed makes the same inputs.
struct Mutator {
    private var state: UInt64
    private let corpus: [[UInt8]]
    /// Bytes that start wide lengths, containers, extensions and the reserved form.
    private static let interesting: [UInt8] = [
        0x00, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc3, 0xc4, 0xc6, 0xc7, 0xc9, 0xca,
        0xcb,
        0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd3, 0xd4, 0xd8, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff,
    ]

    init(seed: UInt64, corpus: [[UInt8]]) {
        self.state = seed
        self.corpus = corpus
    }

    mutating func next() -> [UInt8] {
        var input = self.corpus[self.below(self.corpus.count)]
        for _ in 0...self.below(4) { self.damage(&input) }
        return input
    }

    private mutating func damage(_ input: inout [UInt8]) {
        guard !input.isEmpty else { return }
        let position = self.below(input.count)
        switch self.below(7) {
        case 0: input[position] ^= 1 << UInt8(self.below(8))
        case 1: input[position] = UInt8(self.below(256))
        case 2: input[position] = Self.interesting[self.below(Self.interesting.count)]
        case 3: input.removeSubrange(position..<min(input.count, position + 1 + self.below(4)))
        case 4: input.insert(Self.interesting[self.below(Self.interesting.count)], at: position)
        case 5: input = Array(input.prefix(position))
        default:
            let other = self.corpus[self.below(self.corpus.count)]
            input = Array(input.prefix(position)) + other.suffix(self.below(other.count + 1))
        }
    }

    private mutating func below(_ limit: Int) -> Int {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
    }
}
