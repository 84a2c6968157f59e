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
    /// Memory for the body of a reply with status 200, of exactly its length.
    var destination: L2Buffer?
    /// Whether a proxy of the environment is left out: for services of this machine.
    var isLocal = false

    var url: String { self.origin + self.path + (self.query.isEmpty ? "" : "?" + self.query) }
}

/// One reply. What it says comes from the other side and may be anything.
struct HTTPReply: Sendable {
    var status: Int
    /// Names in lower case; of several with one name the last.
    var headers: [String: String]
    /// The body, unless it went into the request's memory; cut at a limit.
    var body: [UInt8]
    /// Where the body went into the request's memory: its CRC-32C.
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
