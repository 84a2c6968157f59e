// lmcache · SPDX-License-Identifier: Apache-2.0

/// An answer, parsed from the bytes of a whole connection.
struct HTTPResponse: Equatable {
    let status: Int
    let reason: String
    let body: [UInt8]

    var text: String { String(decoding: self.body, as: UTF8.self) }

    /// Most bytes of an answer that are read.
    static let maximumBytes = 64 << 20

    /// Parses an answer; nil while bytes are missing.
    ///
    /// - Parameter isComplete: True when the peer has closed, which ends a body of unknown length.
    /// - Throws: `HTTPFailure` when the bytes are no HTTP/1 answer.
    static func parse(_ bytes: [UInt8], isComplete: Bool) throws(HTTPFailure) -> HTTPResponse? {
        guard let headEnd = Self.firstIndex(of: Array("\r\n\r\n".utf8), in: bytes, from: 0) else {
            if isComplete || bytes.count > 65_536 { throw HTTPFailure("the answer has no HTTP head") }
            return nil
        }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(
            separator: "\r\n",
            omittingEmptySubsequences: false
        )
        let statusLine = (lines.first ?? "").split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]),
            (100...599).contains(status)
        else { throw HTTPFailure("the answer is no HTTP/1 answer") }
        let headers = Self.headers(lines.dropFirst())
        guard
            let body = try Self.body(
                bytes[(headEnd + 4)...],
                headers: headers,
                status: status,
                isComplete: isComplete
            )
        else { return nil }
        return HTTPResponse(status: status, reason: statusLine.count > 2 ? String(statusLine[2]) : "", body: body)
    }

    private static func headers(_ lines: ArraySlice<Substring>) -> [String: String] {
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers[line[..<colon].lowercased()] = String(value)
        }
        return headers
    }

    private static func body(
        _ bytes: ArraySlice<UInt8>,
        headers: [String: String],
        status: Int,
        isComplete: Bool
    ) throws(HTTPFailure) -> [UInt8]? {
        if status == 204 || status == 304 { return [] }
        if headers["transfer-encoding"]?.lowercased().hasSuffix("chunked") == true {
            return try Self.chunkedBody(bytes, isComplete: isComplete)
        }
        if let text = headers["content-length"] {
            guard let length = Int(text), (0...Self.maximumBytes).contains(length) else {
                throw HTTPFailure("the answer's length is invalid")
            }
            if bytes.count >= length { return Array(bytes.prefix(length)) }
            if isComplete { throw HTTPFailure("the answer ends early") }
            return nil
        }
        return isComplete ? Array(bytes) : nil
    }

    private static func chunkedBody(_ bytes: ArraySlice<UInt8>, isComplete: Bool) throws(HTTPFailure) -> [UInt8]? {
        let all = Array(bytes)
        var body: [UInt8] = []
        var position = 0
        while let lineEnd = Self.firstIndex(of: [13, 10], in: all, from: position) {
            let line = String(decoding: all[position..<lineEnd].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
            guard let length = Int(line.filter { $0 != " " }, radix: 16), (0...Self.maximumBytes).contains(length)
            else {
                throw HTTPFailure("the answer's chunks are invalid")
            }
            if length == 0 { return body }
            let start = lineEnd + 2
            guard all.count - start >= length + 2 else { break }
            body += all[start..<start + length]
            position = start + length + 2
        }
        if isComplete { throw HTTPFailure("the answer ends early") }
        return nil
    }

    private static func firstIndex(of pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= pattern.count, start <= bytes.count - pattern.count else { return nil }
        return (start...bytes.count - pattern.count).first { position in
            pattern.indices.allSatisfy { bytes[position + $0] == pattern[$0] }
        }
    }
}
