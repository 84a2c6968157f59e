// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

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
            let distance = EditDistance.between(Array(word.utf8), Array(candidate.utf8))
            if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.candidate
    }
}
