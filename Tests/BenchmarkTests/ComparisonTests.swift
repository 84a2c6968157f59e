// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache_benchmark

@Suite struct ComparisonTests {
    @Test func rowsShowBothFiguresTheRatioAndTheVerdict() {
        let row = ComparisonRow(
            "a lookup", unit: .milliseconds, original: 12, ours: 0.5, target: .atMostShare(of: 15))
        #expect(row.cells == ["a lookup", "12.0 ms", "0.500 ms", "1/24.0", "≤ 1/15", "met"])
    }

    @Test func moreIsBetterForRates() {
        let row = ComparisonRow("rate", unit: .perSecond, original: 300, ours: 2_400, target: .atLeastTimes(10))
        #expect(row.cells == ["rate", "300 /s", "2,400 /s", "8.0 x", "≥ 10 x", "missed"])
        let share = ComparisonRow("copy", unit: .gigabytesPerSecond, original: 10, ours: 9, target: .atLeastTimes(0.8))
        #expect(share.cells == ["copy", "10.00 GB/s", "9.00 GB/s", "90 %", "≥ 80 %", "met"])
    }

    @Test func aServerThatDidNotRunLeavesDashesAndNoVerdict() {
        var comparison = Comparison()
        comparison.ours = ServerFigures()
        comparison.ours?.hit.append(.microseconds(400))
        comparison.ours?.starts.append(.milliseconds(100))
        let rows = comparison.rows.map(\.cells)
        #expect(rows[0] == ["lookup and wait, 32,768 tokens, hit, p50", "–", "0.400 ms", "–", "≤ 1/15", ""])
        #expect(rows.last?.suffix(2) == ["≤ 300 ms", "met"])
    }

    @Test func tablesKeepColumnsApart() {
        let rows = [ComparisonRow("x", unit: .megabytes, original: 400, ours: 50, target: .atMost(60))]
        let table = ComparisonTable(rows: rows)
        #expect(table.markdown.split(separator: "\n").last == "| x | 400.0 MB | 50.0 MB | 1/8.0 | ≤ 60 MB | met |")
        #expect(Set(table.text.split(separator: "\n").map(\.count)).count == 1)
    }

    @Test(arguments: [(0.0, 1, "0.0"), (1.05, 2, "1.05"), (0.004, 2, "0.00"), (12.5, 0, "13"), (-1.25, 1, "-1.3")])
    func decimalsAreRounded(value: Double, places: Int, expected: String) {
        #expect(decimal(value, places: places) == expected)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")])
    func thousandsAreGrouped(number: Int, expected: String) {
        #expect(grouped(number) == expected)
    }
}
