// lmcache · SPDX-License-Identifier: Apache-2.0

/// Puts one reply together from what has come so far. Decides only; whoever owns the socket reads.
struct RESPAssembler {
    /// Most replies inside one.
    static let elementLimit = 1 << 20
    /// Longest string that is collected where nobody has prepared memory.
    static let collectedLimit = 1 << 20
    /// Most bytes of such strings in one reply.
    static let totalLimit = 64 << 20
    private static let depthLimit = 4

    private struct Frame {
        var missing: Int
        var elements: [RESPAnswer] = []
    }

    private enum State {
        case head
        case collecting([UInt8], missing: Int)
        case filling(done: Int)
        case skipping(missing: Int, length: Int)
        case ending(RESPAnswer)
    }

    private var state = State.head
    private var frames: [Frame] = []
    private var elements = 0
    private var collectedBytes = 0
    /// Where the reply's string goes, if it is one of exactly this length.
    private let destination: UnsafeMutableRawBufferPointer?

    init(destination: UnsafeMutableRawBufferPointer?) {
        self.destination = destination
    }

    /// Room that the reply's next bytes may be read into directly, once the reader holds none.
    var directArea: UnsafeMutableRawBufferPointer? {
        guard case .filling(let done) = self.state, let destination = self.destination, done < destination.count else {
            return nil
        }
        return UnsafeMutableRawBufferPointer(rebasing: destination[done...])
    }

    /// Bytes of the destination that are in place.
    var filledBytes: Int {
        guard case .filling(let done) = self.state else { return 0 }
        return done
    }

    /// Notes that bytes went into ``directArea``.
    mutating func noteDirect(_ byteCount: Int) {
        guard case .filling(let done) = self.state, let destination = self.destination else { return }
        self.state = .filling(done: min(destination.count, done + byteCount))
    }

    /// Goes on with what the reader holds. Returns the reply when it is whole, nil when more bytes must come.
    mutating func advance(_ reader: inout RESPReader) throws(RESPConnectionError) -> RESPAnswer? {
        while true {
            guard let answer = try self.value(&reader) else { return nil }
            if let whole = self.place(answer) { return whole }
        }
    }

    /// Takes one complete value; arrays open a frame and count as none until it is full.
    private mutating func value(_ reader: inout RESPReader) throws(RESPConnectionError) -> RESPAnswer? {
        while true {
            switch self.state {
            case .head:
                guard let head = try reader.head() else { return nil }
                if let answer = try self.begin(head) { return answer }
            case .collecting(var bytes, let missing):
                // Let go of the state's copy, or appending would copy all.
                self.state = .head
                let before = bytes.count
                bytes.append(addingCapacity: min(missing, reader.count), from: &reader)
                let left = missing - (bytes.count - before)
                self.state = left == 0 ? .ending(.bulk(bytes)) : .collecting(bytes, missing: left)
                if left > 0 { return nil }
            case .filling(let done):
                guard let destination = self.destination else { throw .nonsense("a string that nobody asked for") }
                let count = reader.take(into: UnsafeMutableRawBufferPointer(rebasing: destination[done...]))
                self.state = done + count == destination.count ? .ending(.filled) : .filling(done: done + count)
                if done + count < destination.count { return nil }
            case .skipping(let missing, let length):
                let left = missing - reader.skip(missing)
                self.state = left == 0 ? .ending(.wrongLength(length)) : .skipping(missing: left, length: length)
                if left > 0 { return nil }
            case .ending(let answer):
                guard try reader.takeLineEnd() else { return nil }
                self.state = .head
                return answer
            }
        }
    }

    private mutating func begin(_ head: RESPReader.Head) throws(RESPConnectionError) -> RESPAnswer? {
        switch head {
        case .simple(let text): return .simple(text)
        case .error(let text): return .error(text)
        case .integer(let value): return .integer(value)
        case .none: return RESPAnswer.none
        case .bulk(let length):
            if let destination = self.destination, self.frames.isEmpty {
                self.state =
                    length == destination.count ? .filling(done: 0) : .skipping(missing: length, length: length)
            } else {
                self.collectedBytes += min(length, Self.totalLimit)
                guard length <= Self.collectedLimit, self.collectedBytes <= Self.totalLimit else {
                    throw .nonsense("a string of \(length) bytes")
                }
                self.state = .collecting([], missing: length)
            }
            return nil
        case .array(let count):
            self.elements += count
            guard self.elements <= Self.elementLimit, self.frames.count < Self.depthLimit else {
                throw .nonsense("an array of \(count) in depth \(self.frames.count)")
            }
            if count == 0 { return .array([]) }
            self.frames.append(Frame(missing: count))
            return nil
        }
    }

    /// Puts a value into the innermost array. Returns the outermost value once it is whole.
    private mutating func place(_ answer: RESPAnswer) -> RESPAnswer? {
        var answer = answer
        while var frame = self.frames.popLast() {
            frame.elements.append(answer)
            frame.missing -= 1
            if frame.missing > 0 {
                self.frames.append(frame)
                return nil
            }
            answer = .array(frame.elements)
        }
        return answer
    }
}

extension [UInt8] {
    /// Appends what the reader holds, at most `count` bytes.
    fileprivate mutating func append(addingCapacity count: Int, from reader: inout RESPReader) {
        let part = Self(unsafeUninitializedCapacity: count) { area, filled in
            filled = reader.take(into: UnsafeMutableRawBufferPointer(area))
        }
        self += part
    }
}
