// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import CacheEngine

@Suite struct PrefetchGridTests {
    private let near = TierID(0)
    private let far = TierID(3)

    @Test func loadsComeFromTheFirstTierThatHasThem() {
        var grid = PrefetchGrid(windows: [.everything], chunkCount: 3)
        grid[0] = .resident
        #expect(grid.takeUnprobed() == [1, 2])
        #expect(grid.takeUnprobed().isEmpty)
        grid.offer(self.far, cells: [1, 2], lengths: [8, 8])
        grid.offer(self.near, cells: [1, 2], lengths: [0, 8])
        let plan = grid.plan(.prefix)
        #expect(plan.prefix == 3)
        #expect(plan.loads.map(\.tier) == [self.far, self.near])
        grid.withdraw(self.near, cell: 2)
        #expect(grid.plan(.prefix).loads.map(\.tier) == [self.far, self.far])
        grid.withdrawAll(cell: 2)
        #expect(grid.plan(.prefix).prefix == 2)
    }

    @Test func whatOthersLoadCountsAndIsAwaited() {
        var grid = PrefetchGrid(windows: [.everything], chunkCount: 2)
        grid[0] = .awaited
        grid[1] = .loading
        let plan = grid.plan(.prefix)
        #expect(plan.prefix == 2 && plan.awaits && plan.loads.isEmpty)
    }

    @Test func everythingIsWhatAllRowsHave() {
        var grid = PrefetchGrid(windows: [.everything, .last(chunks: 1)], chunkCount: 3)
        grid.offer(self.near, cells: [0, 2, 3, 5], lengths: [8, 8, 8, 8])
        #expect(grid.plan(.everything).loads.map(\.cell) == [0, 2, 3, 5])
        #expect(grid.plan(.prefix).prefix == 1)
    }

    /// Every grid of two rows and four chunks, for several windows, against the definition.
    @Test(arguments: [
        [PrefixWindow.everything, .everything], [.everything, .last(chunks: 2)], [.last(chunks: 1), .last(chunks: 3)],
    ])
    func theLongestServablePrefixIsPlanned(windows: [PrefixWindow]) {
        let chunks = 4
        for bits in 0..<256 {
            var grid = PrefetchGrid(windows: windows, chunkCount: chunks)
            for cell in 0..<8 where bits >> cell & 1 == 1 {
                if cell % 3 == 0 { grid[cell] = .resident } else { grid.offer(self.near, cells: [cell], lengths: [4]) }
            }
            func has(_ row: Int, _ range: Range<Int>) -> Bool {
                range.allSatisfy { bits >> (row * chunks + $0) & 1 == 1 }
            }
            let expected = (0...chunks).last { prefix in
                windows.enumerated().allSatisfy { row, window in has(row, window.needed(forPrefix: prefix)) }
            }
            let plan = grid.plan(.prefix)
            #expect(plan.prefix == expected)
            let loaded = plan.needed.filter { $0 % 3 != 0 }
            #expect(plan.loads.map(\.cell) == loaded)
        }
    }
}
