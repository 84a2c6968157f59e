// lmcache · SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import Telemetry

/// One request and its answer over a connection of its own; the calling thread waits.
enum HTTPExchange {
    /// Most time for a whole exchange.
    static let timeout = Duration.seconds(10)

    /// GET; any status is an answer.
    static func get(_ url: HTTPURL, path: String) throws(HTTPFailure) -> HTTPResponse {
        try Self.send("GET", url, path: path, body: nil)
    }

    /// GET, or POST with a JSON body; anything but a 2xx answer with a JSON document is a failure.
    static func json(_ url: HTTPURL, path: String, body: String? = nil) throws(HTTPFailure) -> JSONValue {
        let response = try Self.send(body == nil ? "GET" : "POST", url, path: path, body: body)
        let full = url.text + path
        let document = try? JSONDecoder().decode(JSONDocument.self, from: Data(response.body)).value
        guard (200..<300).contains(response.status) else {
            let detail = ["error", "message", "detail"].lazy.compactMap { document?[$0]?.text }.first
            if response.status == 503 { throw HTTPFailure("Server unhealthy: \(detail ?? response.reason)") }
            throw HTTPFailure("HTTP \(response.status) from \(full): \(detail ?? response.reason)")
        }
        guard let document else { throw HTTPFailure("Invalid JSON response from \(full)") }
        return document
    }

    private static func send(
        _ method: String,
        _ url: HTTPURL,
        path: String,
        body: String?
    ) throws(HTTPFailure) -> HTTPResponse {
        do throws(HTTPFailure) {
            let deadline = ContinuousClock.now + Self.timeout
            let socket = try ClientSocket(host: url.host, port: url.port, deadline: deadline)
            defer { socket.close() }
            try socket.write(Self.requestText(method, url, path: path, body: body), deadline: deadline)
            var bytes: [UInt8] = []
            while true {
                let isComplete = try !socket.read(into: &bytes, deadline: deadline)
                if let response = try HTTPResponse.parse(bytes, isComplete: isComplete) { return response }
                if bytes.count > HTTPResponse.maximumBytes { throw HTTPFailure("the answer is too large") }
            }
        } catch {
            throw HTTPFailure("Cannot connect to \(url.text)\(path): \(error.description)")
        }
    }

    private static func requestText(_ method: String, _ url: HTTPURL, path: String, body: String?) -> String {
        var lines = [
            "\(method) \(url.basePath)\(path) HTTP/1.1", "Host: \(url.authority)", "Accept: */*", "Connection: close",
        ]
        if let body { lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"] }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    }
}
