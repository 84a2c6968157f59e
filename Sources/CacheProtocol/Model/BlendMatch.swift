// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// One cached piece and where it would go in a prompt; wire protocol §2.1, `CBMatchResult`.
///
/// Positions in tokens.
package struct BlendMatch: Sendable, Equatable {
    package var oldStart: Int
    package var oldEnd: Int
    package var newStart: Int
    package var newEnd: Int
    package var hash: [UInt8]

    package init(oldStart: Int, oldEnd: Int, newStart: Int, newEnd: Int, hash: [UInt8]) {
        self.oldStart = oldStart
        self.oldEnd = oldEnd
        self.newStart = newStart
        self.newEnd = newEnd
        self.hash = hash
    }

    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var positions: [String: Int] = [:]
        var hash: [UInt8]?
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "old_st", "old_ed", "cur_st", "cur_ed":
                positions[name] = try reader.integer(name, in: 0...Int(Int64.max))
            case "hash": hash = try reader.binary(name)
            default: try reader.skip(name)
            }
        }
        guard let oldStart = positions["old_st"] else { throw .missing(field: "old_st") }
        guard let oldEnd = positions["old_ed"] else { throw .missing(field: "old_ed") }
        guard let newStart = positions["cur_st"] else { throw .missing(field: "cur_st") }
        guard let newEnd = positions["cur_ed"] else { throw .missing(field: "cur_ed") }
        guard let hash else { throw .missing(field: "hash") }
        self.init(oldStart: oldStart, oldEnd: oldEnd, newStart: newStart, newEnd: newEnd, hash: hash)
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(5)
        writer.write("old_st")
        writer.write(self.oldStart)
        writer.write("old_ed")
        writer.write(self.oldEnd)
        writer.write("cur_st")
        writer.write(self.newStart)
        writer.write("cur_ed")
        writer.write(self.newEnd)
        writer.write("hash")
        writer.write(binary: self.hash)
    }
}

extension PayloadReader {
    mutating func blendMatches(_ field: String) throws(ProtocolError) -> [BlendMatch] {
        try self.list(field, limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
            try BlendMatch(from: &element)
        }
    }
}

extension MessagePackWriter {
    mutating func write(_ matches: [BlendMatch]) {
        self.writeArrayHead(matches.count)
        for match in matches { match.write(to: &self) }
    }
}
