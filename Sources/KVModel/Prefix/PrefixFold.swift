// lmcache · SPDX-License-Identifier: Apache-2.0

/// Finds the longest servable prefix over several rows, one chunk at a time.
///
/// A row is one object group of one rank. A prefix of L chunks is servable when every row has the chunks that its window
/// needs; a shorter prefix of a servable one need not be servable. Source: storage reference §3.4.
package struct PrefixFold: Sendable {
    private var runs: [Int]
    private let windows: [PrefixWindow]
    private var chunk = 0
    /// Longest servable prefix among the chunks seen, in chunks.
    package private(set) var servable = 0
    /// True when no further chunk can lengthen the prefix.
    package private(set) var isDecided = false

    /// Starts before chunk 0, with one window a row.
    package init(windows: [PrefixWindow]) {
        self.windows = windows
        self.runs = Array(repeating: 0, count: windows.count)
    }

    /// Takes the next chunk: `isPresent(row)` tells whether that row has it.
    package mutating func nextChunk(isPresent: (Int) -> Bool) {
        self.chunk += 1
        var isServable = !self.windows.isEmpty
        for row in self.windows.indices {
            let isHere = isPresent(row)
            self.runs[row] = isHere ? self.runs[row] + 1 : 0
            if !isHere, self.windows[row] == .everything { self.isDecided = true }
            let needed = self.windows[row].needed(forPrefix: self.chunk).count
            isServable = isServable && self.runs[row] >= needed
        }
        if isServable { self.servable = self.chunk }
    }
}
