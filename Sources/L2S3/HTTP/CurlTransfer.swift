// lmcache · SPDX-License-Identifier: Apache-2.0

internal import CSystemShims
internal import Glibc

/// What curl's callbacks fill and empty during one exchange. One thread.
final class CurlTransfer {
    /// Most bytes of a body that goes into no memory of the request: listings and errors.
    static let bodyLimit = 8 << 20
    private static let headerLimit = 200

    private let source: UnsafeRawBufferPointer
    private let destination: UnsafeMutableRawBufferPointer?
    private let part: HTTPPart?
    let isCancelled: (@Sendable () -> Bool)?
    private var sent = 0
    private var received = 0
    private var checksum: UInt32 = 0
    private var reply = HTTPReply(status: 0, headers: [:], body: [], checksum: nil)
    /// Set when the body cannot be what the memory is for.
    private(set) var foundLength: Int?
    /// Set when the service sends the whole object where a part was asked for; its body is not taken.
    private(set) var wholeInstead: HTTPReply?

    /// - Parameters:
    ///   - source: The request's body; valid as long as this lives.
    ///   - destination: Memory for the reply's; likewise.
    ///   - request: What was asked for.
    init(source: UnsafeRawBufferPointer, destination: UnsafeMutableRawBufferPointer?, of request: HTTPRequest) {
        self.source = source
        self.destination = destination
        self.part = request.part
        self.isCancelled = request.isCancelled
    }

    private var expectedStatus: Int { self.part == nil ? 200 : 206 }

    /// The reply, once curl says that it is whole. Nil when it is not what the memory is for, or less than a part.
    func finished() -> HTTPReply? {
        guard let destination = self.destination, self.reply.status == self.expectedStatus else { return self.reply }
        guard self.received == destination.count else {
            if self.part == nil { self.foundLength = self.received }
            return nil
        }
        if self.part == nil { self.reply.checksum = self.checksum }
        return self.reply
    }

    /// Takes one header line.
    func takeHeader(_ line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // A reply before the last, such as 100, counts no more.
            self.reply.headers = [:]
            let words = text.split(separator: " ", maxSplits: 2)
            self.reply.status = words.count > 1 ? Int(words[1].prefix { $0.isNumber }) ?? 0 : 0
            return
        }
        guard let colon = text.firstIndex(of: ":"), self.reply.headers.count < Self.headerLimit else { return }
        let value = text[text.index(after: colon)...].trimmed
        self.reply.headers[text[..<colon].lowercased()] = String(value)
    }

    /// Takes bytes of the body. False ends the exchange.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let destination = self.destination, self.reply.status == self.expectedStatus else {
            if self.part != nil, self.reply.status == 200 {
                self.wholeInstead = self.reply
                return false
            }
            guard self.reply.body.count + bytes.count <= Self.bodyLimit else { return false }
            self.reply.body += bytes
            return true
        }
        if let part { return self.takePart(part, bytes, into: destination) }
        let announced = self.reply.contentLength ?? destination.count
        // curl reads on to the connection's end where a length is none.
        guard self.reply.contentLength != nil || self.reply.headers["content-length"] == nil else { return false }
        guard announced == destination.count, bytes.count <= destination.count - self.received else {
            self.foundLength = max(announced, self.received + bytes.count)
            return false
        }
        self.keep(bytes, in: destination)
        self.checksum = lmc_crc32c(self.checksum, bytes.baseAddress, bytes.count)
        return true
    }

    private func takePart(
        _ part: HTTPPart, _ bytes: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let found = self.reply.headers["content-range"].flatMap({ ContentRange($0) }) else { return false }
        guard found.total == part.total else {
            self.foundLength = found.total
            return false
        }
        guard found.range == part.range, bytes.count <= destination.count - self.received else { return false }
        self.keep(bytes, in: destination)
        return true
    }

    private func keep(_ bytes: UnsafeRawBufferPointer, in destination: UnsafeMutableRawBufferPointer) {
        let room = UnsafeMutableRawBufferPointer(rebasing: destination[self.received...])
        room.copyMemory(from: bytes)
        self.received += bytes.count
    }

    /// Puts bytes of the request's body into `room`. Returns how many.
    func giveBody(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, self.source.count - self.sent)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: self.source[self.sent..<(self.sent + count)]))
        self.sent += count
        return count
    }

    /// Begins the request's body anew at `offset`, for a connection that was dead. False outside the body.
    func rewind(to offset: Int) -> Bool {
        guard 0...self.source.count ~= offset else { return false }
        self.sent = offset
        return true
    }
}

/// What curl calls, with a transfer's address at the end.
enum CurlCallbacks {
    typealias Move = @convention(c) (UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?) -> Int
    typealias Progress = @convention(c) (UnsafeMutableRawPointer?, Int64, Int64, Int64, Int64) -> Int32
    typealias Seek = @convention(c) (UnsafeMutableRawPointer?, Int64, Int32) -> Int32

    static let write: Move = { bytes, size, count, transfer in
        let area = UnsafeRawBufferPointer(start: bytes, count: size * count)
        // Fewer than there are ends the exchange.
        return CurlCallbacks.transfer(transfer)?.takeBody(area) == true ? area.count : area.isEmpty ? 1 : 0
    }

    static let header: Move = { bytes, size, count, transfer in
        CurlCallbacks.transfer(transfer)?.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        return size * count
    }

    static let read: Move = { room, size, count, transfer in
        let area = UnsafeMutableRawBufferPointer(start: room, count: size * count)
        return CurlCallbacks.transfer(transfer)?.giveBody(area) ?? 0
    }

    static let progress: Progress = { transfer, _, _, _, _ in
        CurlCallbacks.transfer(transfer)?.isCancelled?() == true ? 1 : 0
    }

    static let seek: Seek = { transfer, offset, origin in
        // From the start only; 2 tells curl to do without.
        guard origin == SEEK_SET, let offset = Int(exactly: offset) else { return 2 }
        return CurlCallbacks.transfer(transfer)?.rewind(to: offset) == true ? 0 : 1
    }

    private static func transfer(_ address: UnsafeMutableRawPointer?) -> CurlTransfer? {
        address.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
    }
}

extension Substring {
    /// Without white space at either end.
    fileprivate var trimmed: Substring {
        var text = self
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text.drop { $0.isWhitespace }
    }
}
