// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// Reads one frame and says, in errors, which field was at fault.
struct PayloadReader {
    var messages: MessagePackReader

    init(_ messages: MessagePackReader) { self.messages = messages }

    init(frame: [UInt8]) { self.messages = MessagePackReader(frame) }

    // MARK: Strict values

    mutating func isNil(_ field: String) throws(ProtocolError) -> Bool {
        do { return try self.messages.readNilIfPresent() } catch { throw .malformed(field: field, error) }
    }

    mutating func boolean(_ field: String) throws(ProtocolError) -> Bool {
        do { return try self.messages.readBoolean() } catch { throw .malformed(field: field, error) }
    }

    mutating func integer<Value: FixedWidthInteger>(
        _ field: String,
        as type: Value.Type = Value.self
    ) throws(ProtocolError) -> Value {
        do { return try self.messages.readInteger(as: Value.self) } catch { throw .malformed(field: field, error) }
    }

    mutating func integer(_ field: String, in accepted: ClosedRange<Int>) throws(ProtocolError) -> Int {
        let value: Int = try self.integer(field)
        return try Self.checked(value, field, in: accepted)
    }

    mutating func double(_ field: String) throws(ProtocolError) -> Double {
        do { return try self.messages.readDouble() } catch { throw .malformed(field: field, error) }
    }

    mutating func string(_ field: String) throws(ProtocolError) -> String {
        do { return try self.messages.readString() } catch { throw .malformed(field: field, error) }
    }

    mutating func binary(_ field: String) throws(ProtocolError) -> [UInt8] {
        do { return try self.messages.readBinary() } catch { throw .malformed(field: field, error) }
    }

    mutating func optionalBinary(_ field: String) throws(ProtocolError) -> [UInt8]? {
        try self.isNil(field) ? nil : try self.binary(field)
    }

    // MARK: Containers

    mutating func unsignedList(_ field: String) throws(ProtocolError) -> [UInt32] {
        do { return try self.messages.readUInt32Array() } catch { throw .malformed(field: field, error) }
    }

    mutating func blockList(_ field: String) throws(ProtocolError) -> [Int32] {
        do { return try self.messages.readInt32Array() } catch { throw .malformed(field: field, error) }
    }

    mutating func integerList(_ field: String) throws(ProtocolError) -> [Int] {
        do { return try self.messages.readIntArray() } catch { throw .malformed(field: field, error) }
    }

    /// A list with at most `limit` elements, each within `accepted`.
    mutating func integerList(
        _ field: String,
        limit: Int,
        in accepted: ClosedRange<Int>
    ) throws(ProtocolError) -> [Int] {
        let values = try self.integerList(field)
        _ = try Self.checkedCount(values.count, field, limit: limit)
        for value in values { _ = try Self.checked(value, field, in: accepted) }
        return values
    }

    mutating func arrayCount(_ field: String, limit: Int) throws(ProtocolError) -> Int {
        let count: Int
        do { count = try self.messages.readArrayCount() } catch { throw .malformed(field: field, error) }
        return try Self.checkedCount(count, field, limit: limit)
    }

    /// A fixed tuple's head.
    mutating func tuple(_ field: String, count: Int) throws(ProtocolError) {
        let given = try self.arrayCount(field, limit: .max)
        guard given == count else {
            throw .notAccepted(field: field, given: "\(given) elements", accepted: "\(count)")
        }
    }

    mutating func mapCount(_ field: String) throws(ProtocolError) -> Int {
        do { return try self.messages.readMapCount() } catch { throw .malformed(field: field, error) }
    }

    mutating func skip(_ field: String) throws(ProtocolError) {
        do { try self.messages.skip() } catch { throw .malformed(field: field, error) }
    }

    func end(_ field: String) throws(ProtocolError) {
        do { try self.messages.requireEnd() } catch { throw .malformed(field: field, error) }
    }

    // MARK: Lenient scalars, for payloads that upstream converts (wire protocol §1.4)

    /// An integer, boolean, float (fraction dropped) or decimal string.
    mutating func lenientInteger(_ field: String) throws(ProtocolError) -> Int64 {
        switch try self.kind(field) {
        case .boolean: return try self.boolean(field) ? 1 : 0
        case .float:
            let value = try self.double(field)
            guard let integer = Int64(exactly: value.rounded(.towardZero)) else {
                throw .notAccepted(field: field, given: "\(value)", accepted: "a 64-bit integer")
            }
            return integer
        case .string:
            let text = try self.string(field)
            let digits = text.utf8.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed()
            guard let integer = Int64(String(decoding: Array(digits), as: UTF8.self)) else {
                throw .notAccepted(field: field, given: text, accepted: "a 64-bit integer")
            }
            return integer
        default: return try self.integer(field)
        }
    }

    /// A boolean, or a number, string or nil that counts as false when zero or empty.
    mutating func lenientBoolean(_ field: String) throws(ProtocolError) -> Bool {
        switch try self.kind(field) {
        case .nil: return try !self.isNil(field)
        case .float, .integer: return try self.double(field) != 0
        case .string: return try !self.string(field).isEmpty
        default: return try self.boolean(field)
        }
    }

    private func kind(_ field: String) throws(ProtocolError) -> MessagePackKind {
        do { return try self.messages.peekKind() } catch { throw .malformed(field: field, error) }
    }

    // MARK: Checks

    static func checked(_ value: Int, _ field: String, in accepted: ClosedRange<Int>) throws(ProtocolError) -> Int {
        guard accepted.contains(value) else {
            let range = "\(accepted.lowerBound)…\(accepted.upperBound)"
            throw .notAccepted(field: field, given: "\(value)", accepted: range)
        }
        return value
    }

    private static func checkedCount(_ count: Int, _ field: String, limit: Int) throws(ProtocolError) -> Int {
        guard count <= limit else {
            throw .notAccepted(field: field, given: "\(count) elements", accepted: "at most \(limit)")
        }
        return count
    }
}
