// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Reads one pickled object with plain fields, protocols 4 and 5.
///
/// Nothing is called, imported or built: names stay names, and whatever is not a name or a plain value is refused. Work
/// and memory are bounded by the input's length.
struct PickledObjectReader {
    /// An object's class and fields.
    struct Object: Equatable {
        let module: String
        let name: String
        var fields: [String: PickledField]
    }

    private enum Item {
        case mark
        case field(PickledField)
        case dictionary([String: PickledField])
        case object(Object)
    }

    /// Most values at once; a wrapper has some thirty.
    private static let itemLimit = 256

    private let input: [UInt8]
    private var position = 0
    private var stack: [Item] = []
    private var memo: [Item] = []

    init(_ input: [UInt8]) { self.input = input }

    /// The object that the whole input describes.
    mutating func read() throws(ProtocolError) -> Object {
        guard try self.byte() == 0x80, 4...5 ~= (try self.byte()) else {
            throw self.refusal("is not of pickle protocol 4 or 5")
        }
        while true {
            let opcode = try self.byte()
            if opcode == UInt8(ascii: ".") { break }
            try self.run(opcode)
            guard self.stack.count <= Self.itemLimit, self.memo.count <= Self.itemLimit else {
                throw self.refusal("has more than \(Self.itemLimit) values")
            }
        }
        guard self.position == self.input.count, self.stack.count == 1, case .object(let object) = self.stack[0] else {
            throw self.refusal("is not one object")
        }
        return object
    }

    private mutating func run(_ opcode: UInt8) throws(ProtocolError) {
        switch opcode {
        case 0x95: _ = try self.take(8)
        case 0x94: self.memo.append(try self.top())
        case UInt8(ascii: "h"): try self.recall(Int(try self.byte()))
        case UInt8(ascii: "j"): try self.recall(try self.unsigned(4))
        case UInt8(ascii: "("): self.stack.append(.mark)
        case UInt8(ascii: "}"): self.stack.append(.dictionary([:]))
        case UInt8(ascii: ")"): self.push(.tuple([]))
        case 0x85...0x87: try self.closeTuple(Int(opcode) - 0x84)
        case UInt8(ascii: "t"): try self.closeTuple(nil)
        case 0x93: try self.name()
        case 0x81: try self.newObject()
        case UInt8(ascii: "s"): try self.setItems(1)
        case UInt8(ascii: "u"): try self.setItems(nil)
        case UInt8(ascii: "b"): try self.build()
        default: self.push(try self.scalar(opcode))
        }
    }

    private mutating func scalar(_ opcode: UInt8) throws(ProtocolError) -> PickledField {
        switch opcode {
        case UInt8(ascii: "N"): return .none
        case 0x88: return .boolean(true)
        case 0x89: return .boolean(false)
        case UInt8(ascii: "K"): return .integer(try self.unsigned(1))
        case UInt8(ascii: "M"): return .integer(try self.unsigned(2))
        case UInt8(ascii: "J"): return .integer(Int(Int32(truncatingIfNeeded: try self.unsigned(4))))
        case 0x8a: return .integer(try self.signed(Int(try self.byte())))
        case 0x8c: return .text(try self.text(Int(try self.byte())))
        case UInt8(ascii: "X"): return .text(try self.text(try self.unsigned(4)))
        case UInt8(ascii: "C"): return .bytes(Array(try self.take(Int(try self.byte()))))
        case UInt8(ascii: "B"): return .bytes(Array(try self.take(try self.unsigned(4))))
        default: throw self.refusal("uses operation \(opcode)")
        }
    }

    // MARK: The stack

    private mutating func push(_ field: PickledField) { self.stack.append(.field(field)) }

    private func top() throws(ProtocolError) -> Item {
        guard let item = self.stack.last else { throw self.refusal("is cut short") }
        return item
    }

    private mutating func pop() throws(ProtocolError) -> Item {
        guard let item = self.stack.popLast() else { throw self.refusal("is cut short") }
        return item
    }

    private mutating func recall(_ number: Int) throws(ProtocolError) {
        guard self.memo.indices ~= number else { throw self.refusal("recalls what it did not keep") }
        self.stack.append(self.memo[number])
    }

    /// The last `count` fields, or those above the last mark.
    private mutating func popFields(_ count: Int?) throws(ProtocolError) -> [PickledField] {
        var fields: [PickledField] = []
        while fields.count != count {
            switch try self.pop() {
            case .field(let field): fields.append(field)
            case .mark where count == nil: return fields.reversed()
            default: throw self.refusal("nests objects")
            }
        }
        return fields.reversed()
    }

    private mutating func closeTuple(_ count: Int?) throws(ProtocolError) {
        let fields = try self.popFields(count)
        for case .tuple in fields { throw self.refusal("nests tuples") }
        self.push(.tuple(fields))
    }

    private mutating func name() throws(ProtocolError) {
        let names = try self.popFields(2)
        guard case .text(let module) = names[0], case .text(let name) = names[1] else {
            throw self.refusal("names something without a name")
        }
        self.push(.global(module: module, name: name))
    }

    private mutating func newObject() throws(ProtocolError) {
        let parts = try self.popFields(2)
        guard case .global(let module, let name) = parts[0], parts[1] == .tuple([]) else {
            throw self.refusal("makes an object with arguments")
        }
        self.stack.append(.object(Object(module: module, name: name, fields: [:])))
    }

    private mutating func setItems(_ pairs: Int?) throws(ProtocolError) {
        let fields = try self.popFields(pairs.map { 2 * $0 })
        guard fields.count.isMultiple(of: 2), case .dictionary(var values) = try self.pop() else {
            throw self.refusal("fills something that is no dictionary")
        }
        for index in stride(from: 0, to: fields.count, by: 2) {
            guard case .text(let key) = fields[index] else { throw self.refusal("has a field without a name") }
            values[key] = fields[index + 1]
        }
        self.stack.append(.dictionary(values))
    }

    private mutating func build() throws(ProtocolError) {
        guard case .dictionary(let fields) = try self.pop(), case .object(var object) = try self.pop() else {
            throw self.refusal("gives fields to something that is no object")
        }
        object.fields = fields
        self.stack.append(.object(object))
    }

    // MARK: Bytes

    private mutating func byte() throws(ProtocolError) -> UInt8 {
        guard self.position < self.input.count else { throw self.refusal("is cut short") }
        defer { self.position += 1 }
        return self.input[self.position]
    }

    private mutating func take(_ count: Int) throws(ProtocolError) -> ArraySlice<UInt8> {
        guard count <= self.input.count - self.position else { throw self.refusal("is cut short") }
        defer { self.position += count }
        return self.input[self.position..<self.position + count]
    }

    /// Little-endian, at most 4 bytes.
    private mutating func unsigned(_ width: Int) throws(ProtocolError) -> Int {
        try self.take(width).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// Little-endian in two's complement, at most 8 bytes.
    private mutating func signed(_ width: Int) throws(ProtocolError) -> Int {
        guard width <= 8 else { throw self.refusal("has an integer of more than 64 bits") }
        let bytes = try self.take(width)
        let isNegative = (bytes.last ?? 0) & 0x80 != 0
        return bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) }
    }

    private mutating func text(_ length: Int) throws(ProtocolError) -> String {
        guard let text = String(validating: try self.take(length), as: UTF8.self) else {
            throw self.refusal("has a text that is not UTF-8")
        }
        return text
    }

    private func refusal(_ why: String) -> ProtocolError {
        .notAccepted(
            field: "type", given: "a pickled descriptor that \(why)",
            accepted: "a map, or a tensor wrapper of LMCache 0.5.3 to 0.5.5")
    }
}
