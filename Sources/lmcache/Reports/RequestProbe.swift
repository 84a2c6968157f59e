// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import ZMQTransport

/// Pings a request server over ZeroMQ: `noop`, then `ping` without an instance.
enum RequestProbe {
    static let timeoutMilliseconds = 5_000

    /// Two round trips; the time is that of the second, the ping.
    static func run(endpoint: String) -> ProbeResult {
        do throws(TransportError) {
            let client = try DealerClient(endpoint: endpoint, lingerMilliseconds: 0)
            defer { client.close() }
            let noop = try Self.ask(client, .noop, payloads: []) { $0 == StringReply("OK").encoded() }
            if let noop { return ProbeResult(milliseconds: 0, failure: "\(endpoint): \(noop)") }
            let payloads = PingRequest(instance: nil).encodedPayloads()
            return ProbeResult.timed {
                do throws(TransportError) {
                    return try Self.ask(client, .ping, payloads: payloads) { $0 == BoolReply(true).encoded() }
                } catch {
                    return error.description
                }
            }
        } catch {
            return ProbeResult(milliseconds: 0, failure: error.description)
        }
    }

    /// Nil when the reply is as expected.
    private static func ask(
        _ client: DealerClient,
        _ operation: CacheOperation,
        payloads: [[UInt8]],
        isExpected: ([UInt8]) -> Bool
    ) throws(TransportError) -> String? {
        let frames = [operation.encodedFrame()] + payloads
        guard let reply = try client.request(frames, timeoutMilliseconds: Self.timeoutMilliseconds) else {
            return "no answer to \(operation.rawValue) within \(Self.timeoutMilliseconds) ms"
        }
        return reply.count >= 2 && isExpected(reply[1]) ? nil : "unexpected answer to \(operation.rawValue)"
    }
}
