// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Commands on their way out: small parts joined, values where they are.
struct RESPOutgoing {
    private enum Part {
        case bytes([UInt8])
        case value(L2Buffer)

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .value(let buffer): buffer.byteCount
            }
        }
    }

    private var parts: [Part] = []
    private var current = 0
    private var done = 0

    init(_ commands: [RESPCommand]) {
        var small: [UInt8] = []
        for command in commands {
            small += command.head
            guard let value = command.value else { continue }
            self.parts.append(.bytes(small))
            self.parts.append(.value(value))
            small = command.tail
        }
        if !small.isEmpty { self.parts.append(.bytes(small)) }
    }

    var isEmpty: Bool { self.current == self.parts.count }

    /// Hands the next part to `write` and notes how much of it went out. Returns what `write` did.
    mutating func send<Result>(
        _ write: (UnsafeRawBufferPointer, _ isLast: Bool) throws(RESPConnectionError) -> (Result, byteCount: Int)
    ) throws(RESPConnectionError) -> Result {
        precondition(!self.isEmpty, "nothing is left to send")
        let part = self.parts[self.current]
        let isLast = self.current + 1 == self.parts.count
        let (result, byteCount) =
            switch part {
            case .bytes(let bytes):
                try bytes.withRawBytes { (raw) throws(RESPConnectionError) in
                    try write(UnsafeRawBufferPointer(rebasing: raw[self.done...]), isLast)
                }
            case .value(let buffer): try write(UnsafeRawBufferPointer(rebasing: buffer.bytes[self.done...]), isLast)
            }
        self.done += max(0, byteCount)
        if self.done >= part.count {
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
