// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// One request as it goes out.
struct HTTPRequest: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Sent from where it is.
        case buffer(L2Buffer)

        var byteCount: Int {
            switch self {
            case .none: 0
            case .bytes(let bytes): bytes.count
            case .buffer(let buffer): buffer.byteCount
            }
        }
    }

    var method: String
    /// `http://` or `https://`, the host and perhaps a port.
    var origin: String
    /// Percent-encoded, with a leading slash.
    var path: String
    /// Percent-encoded, without the question mark; empty for none.
    var query = ""
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// Memory for the body of a reply with status 200, of exactly its length; with ``part``, of one with status 206.
    var destination: L2Buffer?
    /// Which bytes of the object are asked for; nil for all.
    var part: HTTPPart?
    /// Whether a proxy of the environment is left out: for services of this machine.
    var isLocal = false
    /// Asked about once a second; true ends the exchange.
    var isCancelled: (@Sendable () -> Bool)?

    var url: String { self.origin + self.path + (self.query.isEmpty ? "" : "?" + self.query) }
}

/// Some of an object's bytes.
struct HTTPPart: Sendable, Equatable {
    let range: Range<Int>
    /// The whole object's length.
    let total: Int

    /// The value of the header `range`.
    var header: String { "bytes=\(self.range.lowerBound)-\(self.range.upperBound - 1)" }
}

/// The header `content-range`.
struct ContentRange: Sendable, Equatable {
    /// Nil where the service has no such bytes.
    let range: Range<Int>?
    let total: Int

    /// Reads `bytes 0-4/10` and `bytes */10`; nil for anything else.
    init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let halves = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let total = Int(halves[1]), total >= 0 else { return nil }
        self.total = total
        if halves[0] == "*" {
            self.range = nil
            return
        }
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Int(ends[0]), let last = Int(ends[1]), 0 <= first, first <= last,
            last < total
        else { return nil }
        self.range = first..<(last + 1)
    }
}

/// One reply. What it says comes from the other side and may be anything.
struct HTTPReply: Sendable {
    var status: Int
    /// Names in lower case; of several with one name the last.
    var headers: [String: String]
    /// The body, unless it went into the request's memory; cut at a limit.
    var body: [UInt8]
    /// Where the body of a whole object went into the request's memory: its CRC-32C.
    var checksum: UInt32?

    /// A length that the reply announces, if it is one.
    var contentLength: Int? {
        self.headers["content-length"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}

/// How one exchange ended.
enum HTTPOutcome: Sendable {
    case reply(HTTPReply)
    /// The object's length is not the memory's: nothing of it counts.
    case wrongLength(found: Int)
    /// The body ended early, late, or nobody waits any more; the code is curl's.
    case failed(code: Int32, words: String)
    /// Something is missing on this machine.
    case impossible(String)
}

/// What performs exchanges; blocks until one is over.
protocol HTTPClient: Sendable {
    func perform(_ request: HTTPRequest, timeout: HTTPTimeout) -> HTTPOutcome
}

/// Longest times for one exchange, in milliseconds.
struct HTTPTimeout: Sendable, Equatable {
    var connect: Int
    var whole: Int
}
