// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What a client command found out, to be shown as a table or as JSON.
struct Report: Equatable {
    /// One labelled value.
    struct Entry: Equatable {
        /// Name in JSON.
        let key: String
        /// Name in the table.
        let label: String
        let value: JSONValue
    }

    /// Entries under a heading; sections of one group form a list in JSON, one that stands alone is an object.
    struct Section: Equatable {
        let group: String
        let label: String
        var isAlone = false
        var entries: [Entry] = []

        mutating func add(_ key: String, _ label: String, _ value: JSONValue) {
            self.entries.append(Entry(key: key, label: label, value: value))
        }
    }

    let title: String
    /// Columns of the table.
    let width: Int
    private(set) var entries: [Entry] = []
    private(set) var sections: [Section] = []

    init(title: String, width: Int) {
        self.title = title
        self.width = width
    }

    /// Appends a value in front of all sections.
    mutating func add(_ key: String, _ label: String, _ value: JSONValue) {
        self.entries.append(Entry(key: key, label: label, value: value))
    }

    mutating func add(_ section: Section) { self.sections.append(section) }

    /// The table: labels at the left, values at the right, floats with two decimals.
    var terminalText: String {
        var lines = [Self.centred(" \(self.title) ", self.width, "=")]
        lines += self.entries.map(self.line)
        for section in self.sections {
            lines.append(Self.centred(" \(section.label) ", self.width, "-"))
            lines += section.entries.map(self.line)
        }
        lines.append(String(repeating: "=", count: self.width))
        return lines.joined(separator: "\n") + "\n"
    }

    /// `{"title": …, "metrics": {…}}`, indented by two spaces.
    var jsonText: String {
        var members = self.entries.map { ($0.key, $0.value) }
        var groups: [(String, JSONValue)] = []
        for section in self.sections {
            let value = JSONValue.object(section.entries.map { ($0.key, $0.value) })
            if section.isAlone {
                groups.append((section.group, value))
            } else if let position = groups.firstIndex(where: { $0.0 == section.group }),
                case .array(let earlier) = groups[position].1
            {
                groups[position].1 = .array(earlier + [value])
            } else {
                groups.append((section.group, .array([value])))
            }
        }
        members += groups
        let document = JSONValue.object([("title", .string(self.title)), ("metrics", .object(members))])
        return document.serialized(indent: 2) + "\n"
    }

    private func line(_ entry: Entry) -> String {
        let label = entry.label + ":"
        let value = Self.shown(entry.value)
        return label + String(repeating: " ", count: max(1, self.width - label.count - value.count)) + value
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .null: "N/A"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .double(let value): Decimals.text(value, 2)
        case .string(let value): value
        case .array, .object: value.serialized(indent: nil)
        }
    }

    /// Pads on both sides; of an odd padding the right side gets more in an even width, the left in an odd one.
    private static func centred(_ text: String, _ width: Int, _ fill: Character) -> String {
        let padding = max(0, width - text.count)
        let left = padding / 2 + (padding & width & 1)
        return String(repeating: fill, count: left) + text + String(repeating: fill, count: padding - left)
    }
}
