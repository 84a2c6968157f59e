// lmcache · SPDX-License-Identifier: Apache-2.0

/// Bytes that came from a server and are not understood yet: a window over one fixed area.
struct RESPReader: ~Copyable {
    /// The first line of a reply.
    enum Head: Equatable {
        case simple(String)
        case error(String)
        case integer(Int)
        /// This many bytes follow, and a line end.
        case bulk(Int)
        /// This many replies follow.
        case array(Int)
        /// Nothing is there: a null string or a null array.
        case none
    }

    /// Longest head, in bytes.
    static let lineLimit = 8192
    /// Longest string that a server may announce: what Redis itself takes, and some more.
    static let bulkLimit = 1 << 30

    private let area: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    init(byteCount: Int = 1 << 16) {
        self.area = .allocate(byteCount: max(byteCount, 2 * Self.lineLimit), alignment: 64)
    }

    deinit { self.area.deallocate() }

    /// Bytes waiting.
    var count: Int { self.end - self.start }

    /// Appends what `read` puts into free room, which is never empty. Returns what `read` did.
    mutating func fill<Result>(
        _ read: (UnsafeMutableRawBufferPointer) throws(RESPConnectionError) -> (Result, byteCount: Int)
    ) throws(RESPConnectionError) -> Result {
        if self.start > 0 {
            let rest = UnsafeRawBufferPointer(rebasing: self.area[self.start..<self.end])
            self.area.copyMemory(from: rest)
            (self.start, self.end) = (0, rest.count)
        }
        let room = UnsafeMutableRawBufferPointer(rebasing: self.area[self.end...])
        precondition(!room.isEmpty, "a reader that is full is taken from first")
        let (result, byteCount) = try read(room)
        self.end += min(max(0, byteCount), room.count)
        return result
    }

    /// Takes the next reply's first line, or nil when it is not there yet.
    mutating func head() throws(RESPConnectionError) -> Head? {
        let window = self.area[self.start..<self.end]
        guard let first = window.first else { return nil }
        guard let feed = window.firstIndex(of: UInt8(ascii: "\n")) else {
            guard window.count <= Self.lineLimit else { throw .nonsense("a line without an end") }
            return nil
        }
        guard feed - self.start <= Self.lineLimit, feed > self.start + 1, self.area[feed - 1] == UInt8(ascii: "\r")
        else { throw .nonsense("a line that does not end as lines do") }
        let text = self.area[(self.start + 1)..<(feed - 1)]
        self.start = feed + 1
        switch first {
        case UInt8(ascii: "+"): return .simple(String(decoding: text, as: UTF8.self))
        case UInt8(ascii: "-"): return .error(String(decoding: text, as: UTF8.self))
        case UInt8(ascii: ":"): return .integer(try Self.number(text))
        case UInt8(ascii: "$"), UInt8(ascii: "*"):
            let count = try Self.number(text)
            if count == -1 { return Head.none }
            guard 0...Self.bulkLimit ~= count else { throw .nonsense("a length of \(count)") }
            return first == UInt8(ascii: "$") ? .bulk(count) : .array(count)
        default: throw .nonsense("a reply that begins with byte \(first)")
        }
    }

    /// Moves waiting bytes into `destination`, as many as fit. Returns how many.
    mutating func take(into destination: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(destination.count, self.count)
        destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.area[self.start..<(self.start + count)]))
        self.start += count
        return count
    }

    /// Drops waiting bytes, at most `limit`. Returns how many.
    mutating func skip(_ limit: Int) -> Int {
        let count = min(limit, self.count)
        self.start += count
        return count
    }

    /// Takes the line end behind a string. False when it is not there yet.
    mutating func takeLineEnd() throws(RESPConnectionError) -> Bool {
        guard self.count >= 2 else { return false }
        guard self.area[self.start] == UInt8(ascii: "\r"), self.area[self.start + 1] == UInt8(ascii: "\n") else {
            throw .nonsense("a string that is longer than announced")
        }
        self.start += 2
        return true
    }

    private static func number(
        _ text: Slice<UnsafeMutableRawBufferPointer>
    ) throws(RESPConnectionError) -> Int {
        guard let value = Int(String(decoding: text, as: UTF8.self)) else { throw .nonsense("a number without digits") }
        return value
    }
}
