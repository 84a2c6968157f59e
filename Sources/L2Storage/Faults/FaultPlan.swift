// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Decides which items fail: by key, by rate, or by number.
package struct FaultPlan: Sendable, Equatable {
    package enum Kind: Sendable, Hashable, CaseIterable {
        case store, lookup, load, delete
    }

    /// Operations that may fail. The original's wrapper fails loads only.
    package var kinds: Set<Kind> = [.load]
    /// Part of all keys that fail, 0…1. A key that fails does so always.
    package var rate: Double = 0
    /// Chooses which keys those are.
    package var seed: UInt64 = 0
    /// Places in a batch that fail, from 0.
    package var gapIndices: [Int] = []
    /// Places in a batch that fail, by their distance from its end: 0 for the last item, 1 for the first.
    package var gapTailRatios: [Double] = []
    /// The item with this number fails, counting items of ``kinds`` from 1.
    package var failingCall: Int?
    /// Items after ``failingCall`` fail too.
    package var isSticky = false
    /// Items of ``kinds`` so far.
    package private(set) var calls = 0

    package init() {}

    /// Tells whether the next item fails, which stands at `place` of `count` in its batch.
    package mutating func fails(_ kind: Kind, _ key: ObjectKey, place: Int, of count: Int) -> Bool {
        guard self.kinds.contains(kind) else { return false }
        self.calls += 1
        if self.gapIndices.contains(place) { return true }
        if self.gapTailRatios.contains(where: { Int(((1 - $0) * Double(count - 1)).rounded()) == place }) {
            return true
        }
        if let failing = self.failingCall, self.calls == failing || self.isSticky && self.calls > failing {
            return true
        }
        return self.rate > 0 && Double(self.draw(key) >> 11) / 9_007_199_254_740_992 < self.rate
    }

    /// The same number for the same key and seed, in every process.
    private func draw(_ key: ObjectKey) -> UInt64 {
        let words = key.chunkHash.words
        var state = self.seed ^ words.0 &+ 31 &* words.1 &+ 37 &* words.2 &+ 41 &* words.3
        state = state &+ UInt64(key.kvRank.rawValue) &+ UInt64(truncatingIfNeeded: key.objectGroup) << 40
        // SplitMix64's finish.
        state = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        state = (state ^ state >> 27) &* 0x94D0_49BB_1331_11EB
        return state ^ state >> 31
    }
}
