// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct PrefixFoldTests {
    struct Example: Sendable {
        let rows: [String]
        let windows: [Int]
        let hit: Int
        let kept: [String]
    }

    /// The checked table of the storage reference, §3.4.
    static let table = [
        Example(rows: ["11110", "11111"], windows: [-1, -1], hit: 4, kept: ["11110", "11110"]),
        Example(rows: ["11111", "00110"], windows: [-1, 2], hit: 4, kept: ["11110", "00110"]),
        Example(rows: ["11111", "00010"], windows: [-1, 2], hit: 0, kept: ["00000", "00000"]),
        Example(rows: ["11111", "10000"], windows: [-1, 2], hit: 1, kept: ["10000", "10000"]),
        Example(rows: ["11111", "00001"], windows: [-1, 1], hit: 5, kept: ["11111", "00001"]),
        Example(rows: ["00111"], windows: [0], hit: 0, kept: ["00000"]),
    ]

    private func fold(_ rows: [[Bool]], _ windows: [PrefixWindow], stopsWhenDecided: Bool = false) -> Int {
        var fold = PrefixFold(windows: windows)
        for chunk in rows[0].indices {
            fold.nextChunk { rows[$0][chunk] }
            if stopsWhenDecided, fold.isDecided { break }
        }
        return fold.servable
    }

    @Test(arguments: table)
    func theCheckedTableHolds(_ example: Example) {
        let rows = example.rows.map { $0.map { $0 == "1" } }
        let windows = example.windows.map { PrefixWindow(chunks: $0) }
        let hit = self.fold(rows, windows)
        #expect(hit == example.hit)
        let kept = windows.map { window in
            String((0..<5).map { window.needed(forPrefix: hit).contains($0) ? "1" : "0" })
        }
        #expect(kept == example.kept)
    }

    @Test func everyGridOfTwoRowsMatchesTheDefinition() {
        let windows = [PrefixWindow.everything, .last(chunks: 1), .last(chunks: 2), .last(chunks: 3), .last(chunks: 9)]
        let length = 5
        for cells in 0..<1 << (2 * length) {
            let rows = (0..<2).map { row in (0..<length).map { cells >> (row * length + $0) & 1 == 1 } }
            for first in windows {
                for second in windows {
                    let expected = Self.definition(rows, [first, second])
                    #expect(self.fold(rows, [first, second]) == expected)
                    #expect(self.fold(rows, [first, second], stopsWhenDecided: true) == expected)
                }
            }
        }
    }

    /// The largest L whose needed chunks are all present, tried from above.
    private static func definition(_ rows: [[Bool]], _ windows: [PrefixWindow]) -> Int {
        (0...rows[0].count).last { prefix in
            zip(rows, windows).allSatisfy { row, window in window.needed(forPrefix: prefix).allSatisfy { row[$0] } }
        } ?? 0
    }

    @Test func noRowsServeNothing() {
        var fold = PrefixFold(windows: [])
        fold.nextChunk { _ in true }
        #expect(fold.servable == 0)
    }

    @Test func windowsAreReadAsOnTheWire() {
        #expect(PrefixWindow(chunks: -1) == .everything)
        #expect(PrefixWindow(chunks: 0) == .everything)
        #expect(PrefixWindow(chunks: 3) == .last(chunks: 3))
        #expect(PrefixWindow.last(chunks: 3).needed(forPrefix: 2) == 0..<2)
        #expect(PrefixWindow.last(chunks: 3).needed(forPrefix: 7) == 4..<7)
        #expect(PrefixWindow.everything.needed(forPrefix: 7) == 0..<7)
    }
}
