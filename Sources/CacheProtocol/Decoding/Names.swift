// lmcache · SPDX-License-Identifier: Apache-2.0

extension PayloadReader {
    /// A string of bounded length, such as a request id.
    mutating func name(_ field: String) throws(ProtocolError) -> String {
        let text = try self.string(field)
        guard text.utf8.count <= ProtocolLimits.nameByteCount else {
            let accepted = "at most \(ProtocolLimits.nameByteCount)"
            throw .notAccepted(field: field, given: "\(text.utf8.count) bytes", accepted: accepted)
        }
        return text
    }

    /// A model name: `@` separates the parts of object keys, NUL ends file names.
    mutating func modelName(_ field: String) throws(ProtocolError) -> String {
        let text = try self.name(field)
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "@") || $0 == 0 }) else {
            throw .notAccepted(field: field, given: text, accepted: "a name without @ and NUL")
        }
        return text
    }

    mutating func cacheSalt(_ field: String) throws(ProtocolError) -> String {
        let text = try self.string(field)
        let isForbidden = { (byte: UInt8) in
            byte == UInt8(ascii: "@") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") || byte == 0
        }
        guard text.unicodeScalars.count <= ProtocolLimits.saltLength, !text.utf8.contains(where: isForbidden) else {
            let accepted = "at most \(ProtocolLimits.saltLength) characters, none of @ / \\ NUL"
            throw .notAccepted(field: field, given: text, accepted: accepted)
        }
        return text
    }
}
