// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

@testable import L2S3

/// Answers requests as a test says and keeps them.
final class ScriptedClient: HTTPClient {
    private let requests = Mutex<[HTTPRequest]>([])
    private let script: @Sendable (Int, HTTPRequest) -> HTTPOutcome

    /// - Parameter script: Gets each request's number, from 0.
    init(_ script: @escaping @Sendable (Int, HTTPRequest) -> HTTPOutcome) {
        self.script = script
    }

    var sent: [HTTPRequest] { self.requests.withLock { $0 } }

    func perform(_ request: HTTPRequest, timeout: HTTPTimeout) -> HTTPOutcome {
        let number = self.requests.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        return self.script(number, request)
    }

    static func reply(_ status: Int, _ body: String = "", headers: [String: String] = [:]) -> HTTPOutcome {
        .reply(HTTPReply(status: status, headers: headers, body: Array(body.utf8), checksum: nil))
    }
}
