// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol

/// A request encoded once, whose request id is overwritten in place for each use.
struct NumberedRequest {
    static let identifierLength = 16
    private(set) var frames: [[UInt8]]
    private let frame: Int
    private let offset: Int

    /// Encodes what `make` gives for a placeholder id, which must occur in its payloads.
    init(_ operation: CacheOperation, _ make: (_ requestID: String) -> [[UInt8]]) {
        let placeholder = Self.identifier(prefix: 0, number: 0)
        self.frames = [operation.encodedFrame()] + make(placeholder)
        let wanted = Array(placeholder.utf8)
        for (index, bytes) in self.frames.enumerated() {
            if let offset = lastOffset(of: wanted, in: bytes) {
                self.frame = index
                self.offset = offset
                return
            }
        }
        preconditionFailure("the request carries its id")
    }

    /// Puts the id of use `number` by client `prefix` into the frames.
    mutating func setNumber(prefix: Int, _ number: Int) {
        var rest = number
        for position in stride(from: Self.identifierLength - 1, to: 7, by: -1) {
            self.frames[self.frame][self.offset + position] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        self.frames[self.frame][self.offset + 5] = UInt8(ascii: "0") + UInt8(prefix / 10 % 10)
        self.frames[self.frame][self.offset + 6] = UInt8(ascii: "0") + UInt8(prefix % 10)
    }

    /// `bench00-00000000` for the first use by client 0.
    static func identifier(prefix: Int, number: Int) -> String {
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "bench\(padded(prefix, 2))-\(padded(number, 8))"
    }
}

private func lastOffset(of wanted: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= wanted.count else { return nil }
    return stride(from: bytes.count - wanted.count, through: 0, by: -1).first { start in
        bytes[start..<start + wanted.count].elementsEqual(wanted)
    }
}
