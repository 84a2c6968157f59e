// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache

struct HTTPResponseTests {
    private func parse(_ text: String, isComplete: Bool = false) throws(HTTPFailure) -> HTTPResponse? {
        try HTTPResponse.parse(Array(text.utf8), isComplete: isComplete)
    }

    @Test func readsABodyOfKnownLength() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        let response = try #require(try self.parse(text + "more"))
        #expect(response.status == 200)
        #expect(response.reason == "OK")
        #expect(response.text == "hello")
        for length in 0..<text.utf8.count {
            #expect(try HTTPResponse.parse(Array(text.utf8.prefix(length)), isComplete: false) == nil)
        }
    }

    @Test func readsChunks() throws {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        #expect(try self.parse(text)?.text == "abcde")
        for length in 0..<text.utf8.count - 4 {
            #expect(try HTTPResponse.parse(Array(text.utf8.prefix(length)), isComplete: false) == nil)
        }
    }

    @Test func readsUntilTheEndOtherwise() throws {
        let text = "HTTP/1.0 503 Service Unavailable\r\n\r\nbusy"
        #expect(try self.parse(text) == nil)
        #expect(try self.parse(text, isComplete: true)?.text == "busy")
        #expect(try self.parse("HTTP/1.1 204\r\n\r\n")?.body == [])
    }

    @Test(arguments: [
        "", "garbage\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 99999999999999999999 OK\r\n\r\n",
        "HTTP/1.1 -1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ])
    func refusesDamage(_ text: String) {
        #expect(throws: HTTPFailure.self) { try self.parse(text, isComplete: true) }
    }

    @Test func refusesAnEndlessHead() {
        #expect(throws: HTTPFailure.self) {
            try HTTPResponse.parse([UInt8](repeating: 65, count: 70_000), isComplete: false)
        }
    }
}

struct HTTPURLTests {
    static let accepted: [(text: String, host: String, port: Int, path: String, normal: String)] = [
        ("http://localhost:8080", "localhost", 8080, "", "http://localhost:8080"),
        ("localhost:8080/", "localhost", 8080, "", "http://localhost:8080"),
        ("HTTP://h", "h", 80, "", "http://h"),
        ("http://h:1/base//", "h", 1, "/base", "http://h:1/base"),
        ("http://[::1]:9", "::1", 9, "", "http://[::1]:9"),
        ("[::1]", "::1", 80, "", "http://[::1]"),
    ]

    @Test(arguments: Self.accepted.indices)
    func reads(_ index: Int) throws {
        let row = Self.accepted[index]
        let url = try HTTPURL(row.text)
        #expect(url.host == row.host)
        #expect(url.port == row.port)
        #expect(url.basePath == row.path)
        #expect(url.text == row.normal)
    }

    @Test(arguments: [
        "", "http://", "https://h", "ftp://h", "http://h:0", "http://h:99999", "http://h:x", "http://a b", "::1",
        "http://[::1", "http://u@h", "http://h\r\nX: y", "http://h/ä", "http://h?x", "://",
    ])
    func refuses(_ text: String) {
        #expect(throws: HTTPFailure.self) { try HTTPURL(text) }
    }
}
