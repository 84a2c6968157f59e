// lmcache · SPDX-License-Identifier: Apache-2.0

/// Rows as text for a terminal or as Markdown.
struct ComparisonTable {
    private static let header = ["figure", "LMCache 0.5.6", "ours", "ratio", "target", ""]
    let rows: [ComparisonRow]

    var text: String {
        let lines = [Self.header] + self.rows.map(\.cells)
        let widths = Self.header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            cells.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    var markdown: String {
        let lines = [Self.header, ["---", "---:", "---:", "---:", "---:", "---"]] + self.rows.map(\.cells)
        return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }
}
