// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Commands on their way out: small parts joined, values where they are.
///
/// A command that asks for a long string is held back while much of what others asked for has not come: a server makes
/// all answers that it can before it sends one, and loses its processor's cache and time for memory with many long ones.
struct RESPOutgoing {
    private enum Content {
        case bytes([UInt8])
        case value(L2Buffer)

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .value(let buffer): buffer.byteCount
            }
        }
    }

    private struct Part {
        let content: Content
        /// Bytes of answers that the commands before this part ask for.
        let asked: Int
    }

    /// Bytes of answers that may be missing when a command asks for more.
    static let window = 1 << 20
    /// From this many bytes on a string is long.
    private static let longBytes = 1 << 16

    private var parts: [Part] = []
    private var current = 0
    private var done = 0

    init(_ commands: [RESPCommand]) {
        var small: [UInt8] = []
        var (asked, smallAsked) = (0, 0)
        for command in commands {
            let answerBytes = command.destination?.byteCount ?? 0
            if answerBytes >= Self.longBytes, !small.isEmpty {
                self.parts.append(Part(content: .bytes(small), asked: smallAsked))
                small = []
            }
            if small.isEmpty { smallAsked = asked }
            asked += answerBytes
            small += command.head
            guard let value = command.value else { continue }
            self.parts.append(Part(content: .bytes(small), asked: smallAsked))
            self.parts.append(Part(content: .value(value), asked: smallAsked))
            small = command.tail
            smallAsked = asked
        }
        if !small.isEmpty { self.parts.append(Part(content: .bytes(small), asked: smallAsked)) }
    }

    var isEmpty: Bool { self.current == self.parts.count }

    /// Whether the next part may go.
    ///
    /// - Parameter received: Bytes that have come of the strings asked for.
    func isReady(received: Int) -> Bool { self.isReady(self.current, received: received) }

    private func isReady(_ index: Int, received: Int) -> Bool {
        guard index < self.parts.count else { return false }
        return index == self.current && self.done > 0 || self.parts[index].asked - received <= Self.window
    }

    /// Hands the next part to `write` and notes how much of it went out. Returns what `write` did.
    ///
    /// - Parameters:
    ///   - received: As for ``isReady(received:)``.
    ///   - isLast: Whether nothing may follow at once.
    mutating func send<Result>(
        received: Int,
        _ write: (UnsafeRawBufferPointer, _ isLast: Bool) throws(RESPConnectionError) -> (Result, byteCount: Int)
    ) throws(RESPConnectionError) -> Result {
        precondition(!self.isEmpty, "nothing is left to send")
        let part = self.parts[self.current]
        let isLast = !self.isReady(self.current + 1, received: received)
        let (result, byteCount) =
            switch part.content {
            case .bytes(let bytes):
                try bytes.withRawBytes { (raw) throws(RESPConnectionError) in
                    try write(UnsafeRawBufferPointer(rebasing: raw[self.done...]), isLast)
                }
            case .value(let buffer): try write(UnsafeRawBufferPointer(rebasing: buffer.bytes[self.done...]), isLast)
            }
        self.done += max(0, byteCount)
        if self.done >= part.content.count {
            self.current += 1
            self.done = 0
        }
        return result
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the type of what is thrown.
    fileprivate func withRawBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(RESPConnectionError) -> Result
    ) throws(RESPConnectionError) -> Result {
        let outcome: Swift.Result<Result, RESPConnectionError> = self.withUnsafeBytes { raw in
            do throws(RESPConnectionError) {
                return .success(try body(raw))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
