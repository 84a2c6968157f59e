// lmcache · SPDX-License-Identifier: Apache-2.0

/// Finds what a mistyped key was meant to be.
package enum NearestWord {
    /// ` (did you mean 'x'?)` for the closest candidate, or nothing when none is close.
    package static func hint(for word: String, among candidates: [String]) -> String {
        let limit = max(1, min(word.utf8.count, 100) / 4)
        guard word.utf8.count <= 100 else { return "" }
        let given = Self.folded(word)
        let close = candidates.map { ($0, EditDistance.between(given, Self.folded($0))) }.filter { $0.1 <= limit }
        guard let best = close.min(by: { $0.1 < $1.1 }) else { return "" }
        return " (did you mean '\(best.0)'?)"
    }

    private static func folded(_ word: String) -> [UInt8] {
        word.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }
}
