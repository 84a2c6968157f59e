// lmcache · SPDX-License-Identifier: Apache-2.0

/// Runs the few opcodes that a list of CPU tensors needs. It calls nothing and knows a handful of names.
///
/// Every opcode costs one step of a budget, and every value is small and flat, so time and memory are bounded by the
/// budget whatever the input. Source: wire protocol §5.5.
struct PickleMachine {
    let input: [UInt8]
    /// Opcodes that may still run, over all streams of one message.
    private(set) var budget: Int
    var position: Int
    /// End of the stream that is being read.
    var end: Int
    var stack: [PickleValue] = []
    var marks: [Int] = []
    var lists: [[PickleValue]] = []
    var tupleElements: [PickleValue] = []
    var tensors: [PickledTensor] = []
    private var memo: [Int: PickleValue] = [:]
    /// True inside a storage's own stream, where nothing is rebuilt.
    private var isInner = false

    /// Enough for about 10,000 chunks.
    static let defaultBudget = 1 << 20

    init(input: [UInt8], budget: Int = Self.defaultBudget) {
        self.input = input
        self.budget = budget
        self.position = 0
        self.end = input.count
    }

    /// Runs one pickle from the current position to its STOP. The position is then behind it.
    mutating func runStream() throws(PickleError) -> PickleValue {
        let (stack, marks, memo) = (self.stack, self.marks, self.memo)
        self.stack = []
        self.marks = []
        self.memo = [:]
        while try self.step() {}
        let result = try self.pop()
        guard self.stack.isEmpty else { throw self.error("values left over") }
        (self.stack, self.marks, self.memo) = (stack, marks, memo)
        return result
    }

    /// Reads the streams inside a storage's bytes, at one level only.
    mutating func readInner<Result>(
        _ bytes: Range<Int>, _ body: (inout PickleMachine) throws(PickleError) -> Result
    ) throws(PickleError) -> Result {
        guard !self.isInner else { throw self.error("a storage inside a storage") }
        let (position, end) = (self.position, self.end)
        self.isInner = true
        self.position = bytes.lowerBound
        self.end = bytes.upperBound
        let result = try body(&self)
        guard self.position == self.end else { throw self.error("bytes left over after a storage") }
        self.isInner = false
        self.position = position
        self.end = end
        return result
    }

    func error(_ text: String) -> PickleError { PickleError(text: text, offset: self.position) }

    /// One opcode. False after STOP.
    private mutating func step() throws(PickleError) -> Bool {
        guard self.budget > 0 else { throw self.error("too many opcodes") }
        self.budget -= 1
        let opcode = try self.byte()
        switch opcode {
        case 0x2e: return false  // STOP
        case 0x80:  // PROTO
            let version = try self.byte()
            guard (2...5).contains(version) else { throw self.error("protocol \(version), accepted are 2 to 5") }
        case 0x95: _ = try self.integer(byteCount: 8)  // FRAME
        case 0x28: self.marks.append(self.stack.count)  // MARK
        case 0x4e: self.stack.append(.none)  // NONE
        case 0x88: self.stack.append(.boolean(true))  // NEWTRUE
        case 0x89: self.stack.append(.boolean(false))  // NEWFALSE
        case 0x94: self.memo[self.memo.count] = try self.top()  // MEMOIZE
        case 0x71: self.memo[try self.integer(byteCount: 1)] = try self.top()  // BINPUT
        case 0x72: self.memo[try self.integer(byteCount: 4)] = try self.top()  // LONG_BINPUT
        case 0x68: try self.recall(byteCount: 1)  // BINGET
        case 0x6a: try self.recall(byteCount: 4)  // LONG_BINGET
        case 0x4b, 0x4d, 0x4a, 0x8a: try self.pushNumber(opcode)
        case 0x8c, 0x58, 0x43, 0x42, 0x8e: try self.pushBytes(opcode)
        case 0x5d, 0x61, 0x65, 0x29, 0x85, 0x86, 0x87, 0x74, 0x7d, 0x73, 0x75: try self.container(opcode)
        case 0x63, 0x93: try self.pushGlobal(opcode)
        case 0x52 where !self.isInner: try self.reduce()  // REDUCE
        case 0x51 where self.isInner: try self.persistentID()  // BINPERSID
        default: throw self.error("opcode \(opcode) is not accepted")
        }
        return true
    }

    private mutating func recall(byteCount: Int) throws(PickleError) {
        let index = try self.integer(byteCount: byteCount)
        guard let value = self.memo[index] else { throw self.error("memo \(index) is empty") }
        self.stack.append(value)
    }
}

// MARK: Stack and input

extension PickleMachine {
    mutating func byte() throws(PickleError) -> UInt8 {
        guard self.position < self.end else { throw self.error("ends too early") }
        defer { self.position += 1 }
        return self.input[self.position]
    }

    mutating func take(_ count: Int) throws(PickleError) -> Range<Int> {
        guard count >= 0, count <= self.end - self.position else { throw self.error("ends too early") }
        let range = self.position..<self.position + count
        self.position += count
        return range
    }

    /// Little-endian, not negative.
    mutating func integer(byteCount: Int) throws(PickleError) -> Int {
        let range = try self.take(byteCount)
        var value: UInt64 = 0
        for index in range.reversed() { value = value << 8 | UInt64(self.input[index]) }
        guard let result = Int(exactly: value) else { throw self.error("a number does not fit 63 bits") }
        return result
    }

    func top() throws(PickleError) -> PickleValue {
        guard let value = self.stack.last, self.stack.count > self.marks.last ?? 0 else {
            throw self.error("the stack is empty")
        }
        return value
    }

    mutating func pop() throws(PickleError) -> PickleValue {
        let value = try self.top()
        self.stack.removeLast()
        return value
    }

    /// Values above the last mark, which goes away with them.
    mutating func popToMark() throws(PickleError) -> ArraySlice<PickleValue> {
        guard let mark = self.marks.popLast() else { throw self.error("no mark") }
        let values = self.stack[mark...]
        self.stack.removeSubrange(mark...)
        return values
    }
}
