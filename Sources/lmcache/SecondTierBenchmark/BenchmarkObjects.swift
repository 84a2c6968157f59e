// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Storage

/// The keys and buffers of a benchmark: keys of every round differ, buffers are used again.
struct BenchmarkObjects {
    static let modelName = "lmcache-bench"
    let plan: BenchmarkPlan
    /// One a key of a round, in the order of the submits.
    let buffers: [L2Buffer]

    /// Allocates and fills the buffers.
    init(plan: BenchmarkPlan) {
        self.plan = plan
        // Each has an allocation of its own, as objects of a pool do not share lines either.
        self.buffers = (0..<plan.keysPerRound).map { _ in
            L2Buffer(byteCount: plan.objectBytes, alignment: max(plan.alignment, 64))
        }
        for (position, buffer) in self.buffers.enumerated() { Self.fill(buffer, position: position) }
    }

    /// The key of a position in a round; negative rounds are never stored.
    static func key(round: Int, position: Int) -> ObjectKey {
        let words = (
            UInt64(bitPattern: Int64(round)), UInt64(bitPattern: Int64(position)), 0x6c6d_6361_6368_6521 as UInt64,
            0x0062_656e_6368_6c32 as UInt64
        )
        return ObjectKey(
            chunkHash: ChunkHash(words: words), modelName: Self.modelName, kvRank: KVRank(worldSize: 1, rank: 0),
            objectGroup: 0, cacheSalt: "")
    }

    /// The round's objects, one array a submit.
    func submits(round: Int) -> [[L2Object]] {
        (0..<self.plan.inFlight).map { submit in
            (0..<self.plan.keysPerSubmit).map { index in
                let position = submit * self.plan.keysPerSubmit + index
                return L2Object(
                    key: Self.key(round: round, position: position), buffer: self.buffers[position])
            }
        }
    }

    /// The round's probes, one array a submit: of all rounds together at most the plan's share was stored.
    func probes(round: Int) -> [[L2Probe]] {
        let total = self.plan.keysPerRound * self.plan.allRounds
        let stored = Int((Double(total) * self.plan.lookupHitRate).rounded(.down))
        return (0..<self.plan.inFlight).map { submit in
            (0..<self.plan.keysPerSubmit).map { index in
                let position = submit * self.plan.keysPerSubmit + index
                let isStored = round * self.plan.keysPerRound + position < stored
                return L2Probe(
                    key: Self.key(round: isStored ? round : -1 - round, position: position),
                    byteCount: self.plan.objectBytes)
            }
        }
    }

    /// Takes what a store wrote out of the buffers, so that a load has to bring it back.
    func blank() {
        for buffer in self.buffers { buffer.bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    }

    /// Buffers that do not hold what was stored under their keys.
    func mismatches() -> Int {
        self.buffers.enumerated().count { position, buffer in !Self.isFilled(buffer, position: position) }
    }

    private static func fill(_ buffer: L2Buffer, position: Int) {
        for (index, value) in (0..<buffer.byteCount).lazy.map({ Self.byte($0, position) }).enumerated() {
            buffer.bytes[index] = value
        }
    }

    private static func isFilled(_ buffer: L2Buffer, position: Int) -> Bool {
        for index in 0..<buffer.byteCount where buffer.bytes[index] != Self.byte(index, position) { return false }
        return true
    }

    /// A byte that depends on the place in the object and on the object.
    private static func byte(_ index: Int, _ position: Int) -> UInt8 {
        let mixed = UInt64(truncatingIfNeeded: index &+ position &* 0x9E37_79B9) &* 0x9E37_79B9_7F4A_7C15
        return UInt8(truncatingIfNeeded: mixed >> 56)
    }
}
