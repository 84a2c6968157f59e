// lmcache · SPDX-License-Identifier: Apache-2.0

extension MessagePackReader {
    /// Steps over the next value, whatever it is.
    ///
    /// Strings in it are not checked for UTF-8.
    package mutating func skip() throws(MessagePackError) {
        let start = self.offset
        do {
            try self.skip(depth: 0)
        } catch {
            self.offset = start
            throw error
        }
    }

    /// Takes the next value as the bytes that it is written in.
    package mutating func readRawValue() throws(MessagePackError) -> [UInt8] {
        let start = self.offset
        try self.skip()
        return Array(self.bytes[start..<self.offset])
    }

    private mutating func skip(depth: Int) throws(MessagePackError) {
        guard depth <= Self.nestingLimit else {
            throw MessagePackError(offset: self.offset, reason: .nestedTooDeeply(limit: Self.nestingLimit))
        }
        switch try self.readHead() {
        case .nil, .boolean, .negative, .unsigned, .float: break
        case .string(let length), .binary(let length), .extension(_, let length): self.offset += length
        case .array(let count): for _ in 0..<count { try self.skip(depth: depth + 1) }
        case .map(let count): for _ in 0..<2 * count { try self.skip(depth: depth + 1) }
        }
    }
}
