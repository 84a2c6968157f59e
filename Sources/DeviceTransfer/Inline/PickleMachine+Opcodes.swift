// lmcache · SPDX-License-Identifier: Apache-2.0

extension PickleMachine {
    mutating func pushNumber(_ opcode: UInt8) throws(PickleError) {
        switch opcode {
        case 0x4b: self.stack.append(.integer(try self.integer(byteCount: 1)))  // BININT1
        case 0x4d: self.stack.append(.integer(try self.integer(byteCount: 2)))  // BININT2
        case 0x4a:  // BININT, signed
            let value = try self.integer(byteCount: 4)
            self.stack.append(.integer(value >= 1 << 31 ? value - 1 << 32 : value))
        default:  // LONG1
            let count = try self.integer(byteCount: 1)
            // Counts and offsets: not negative, so a ninth byte can only be a zero.
            guard count <= 9 else { throw self.error("a number of \(count) bytes") }
            let value = try self.integer(byteCount: min(count, 8))
            if count == 9, try self.byte() != 0 { throw self.error("a number does not fit 63 bits") }
            let isNegative = count > 0 && count < 8 && value >> (count * 8 - 1) == 1
            guard !isNegative else { throw self.error("a negative number") }
            self.stack.append(.integer(value))
        }
    }

    mutating func pushBytes(_ opcode: UInt8) throws(PickleError) {
        switch opcode {
        case 0x8c: self.stack.append(.text(try self.take(self.integer(byteCount: 1))))  // SHORT_BINUNICODE
        case 0x58: self.stack.append(.text(try self.take(self.integer(byteCount: 4))))  // BINUNICODE
        case 0x43: self.stack.append(.bytes(try self.take(self.integer(byteCount: 1))))  // SHORT_BINBYTES
        case 0x42: self.stack.append(.bytes(try self.take(self.integer(byteCount: 4))))  // BINBYTES
        default: self.stack.append(.bytes(try self.take(self.integer(byteCount: 8))))  // BINBYTES8
        }
    }

    mutating func container(_ opcode: UInt8) throws(PickleError) {
        switch opcode {
        case 0x5d:  // EMPTY_LIST
            self.stack.append(.list(self.lists.count))
            self.lists.append([])
        case 0x61:  // APPEND
            let value = try self.pop()
            try self.append([value])
        case 0x65: try self.append(self.popToMark())  // APPENDS
        case 0x29: self.pushTuple([])  // EMPTY_TUPLE
        case 0x85: try self.popTuple(1)  // TUPLE1
        case 0x86: try self.popTuple(2)  // TUPLE2
        case 0x87: try self.popTuple(3)  // TUPLE3
        case 0x74: self.pushTuple(try self.popToMark())  // TUPLE
        case 0x7d: self.stack.append(.dictionary)  // EMPTY_DICT
        case 0x73:  // SETITEM
            _ = (try self.pop(), try self.pop())
            try self.requireDictionary()
        default:  // SETITEMS
            guard try self.popToMark().count % 2 == 0 else { throw self.error("a key without a value") }
            try self.requireDictionary()
        }
    }

    private func requireDictionary() throws(PickleError) {
        guard case .dictionary = try self.top() else { throw self.error("items for something that is no dictionary") }
    }

    private mutating func append(_ values: ArraySlice<PickleValue>) throws(PickleError) {
        guard case .list(let index) = try self.top() else { throw self.error("elements for something that is no list") }
        self.lists[index].append(contentsOf: values)
    }

    private mutating func pushTuple(_ values: ArraySlice<PickleValue>) {
        let start = self.tupleElements.count
        self.tupleElements.append(contentsOf: values)
        self.stack.append(.tuple(start..<self.tupleElements.count))
    }

    private mutating func popTuple(_ count: Int) throws(PickleError) {
        let start = self.tupleElements.count
        var values: [PickleValue] = []
        for _ in 0..<count { values.append(try self.pop()) }
        self.tupleElements.append(contentsOf: values.reversed())
        self.stack.append(.tuple(start..<self.tupleElements.count))
    }

    mutating func pushGlobal(_ opcode: UInt8) throws(PickleError) {
        let module: Range<Int>
        let name: Range<Int>
        if opcode == 0x93 {  // STACK_GLOBAL
            guard case .text(let second) = try self.pop(), case .text(let first) = try self.pop() else {
                throw self.error("a name that is no text")
            }
            (module, name) = (first, second)
        } else {  // GLOBAL
            module = try self.line()
            name = try self.line()
        }
        guard module.count <= 64, name.count <= 64,
            let global = PickleGlobal(module: self.text(module), name: self.text(name))
        else {
            throw self.error(
                "the name \(self.text(module.prefix(64))).\(self.text(name.prefix(64))) is not accepted")
        }
        self.stack.append(.global(global))
    }

    func text(_ range: some Collection<Int>) -> String {
        String(decoding: range.lazy.map { self.input[$0] }, as: UTF8.self)
    }

    private mutating func line() throws(PickleError) -> Range<Int> {
        let start = self.position
        while try self.byte() != 0x0a {
            guard self.position - start <= 64 else { throw self.error("a name longer than 64 bytes") }
        }
        return start..<self.position - 1
    }
}
