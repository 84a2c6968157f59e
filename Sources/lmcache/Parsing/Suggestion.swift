// lmcache · SPDX-License-Identifier: Apache-2.0

/// Finds what a mistyped word was meant to be.
enum Suggestion {
    /// The only candidate that starts with the word; else the one with the smallest edit distance, if that is small for
    /// the word's length.
    ///
    /// Ties go to the first.
    static func nearest(to word: String, in candidates: [String]) -> String? {
        guard (3...100).contains(word.utf8.count) else { return nil }
        let longer = candidates.filter { $0.hasPrefix(word) }
        if longer.count == 1 { return longer.first }
        let limit = max(1, word.utf8.count / 4)
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = Self.distance(Array(word.utf8), Array(candidate.utf8))
            if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// Fewest insertions, deletions, substitutions and swaps of neighbours that turn one into the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious = [Int](repeating: 0, count: right.count + 1)
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(
                    previous[column + 1] + 1,
                    current[column] + 1,
                    previous[column] + (byte == other ? 0 : 1)
                )
                if row > 0, column > 0, byte == right[column - 1], other == left[row - 1] {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current.append(cost)
            }
            (beforePrevious, previous) = (previous, current)
        }
        return previous[right.count]
    }
}
